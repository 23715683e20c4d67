"""Names of a job's taxa looked up in GBIF's checklist, once: the answers are kept in ``taxa.lock.yaml``.

Asked is ``/v2/species/match``, and ``/v1/species/match`` where that is not served. Only an exact match at the right
rank counts; authors are never compared (the backbone writes "Mitragyna speciosa Korth.", others "(Korth.) Havil.").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from leafid.errors import TaxonomyError
from leafid.files import write_text
from leafid.jobs import TaxaSettings, TaxonEntry
from leafid.jobs.taxa import GBIF_BACKBONE
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.journal import today
from leafid.sources.fetching.web_client import WebClient
from leafid.sources.providers.occurrences import text_of

_HEADER = """\
# What GBIF's checklist answered to the names of the taxa list, and when. leafid writes this file and reads it back
# instead of asking again, so that a job means the same tomorrow. Commit it. To ask anew, delete an entry or the file.
"""


@dataclass(frozen=True)
class ResolvedName:
    """A name of the job in the checklist. ``key`` is that of the accepted taxon, ``accepted_name`` its name."""

    name: str
    key: str
    accepted_name: str
    status: str
    rank: str
    family: str | None
    checklist: str
    resolved: str


@dataclass(frozen=True)
class ResolvedTaxa:
    """The entries of a job in the checklist, and sentences for the user."""

    by_entry: Mapping[str, ResolvedName]
    notes: tuple[str, ...]

    @property
    def keys(self) -> dict[str, str]:
        """Name of the entry by the key of its taxon."""
        return {resolved.key: entry for entry, resolved in self.by_entry.items()}


class NoClearMatch(Exception):
    """The checklist does not know exactly this name; the message says what it knows."""


async def resolve_taxa(taxa: TaxaSettings, client: WebClient, lock: Path) -> ResolvedTaxa:
    """Look up every entry and its synonyms, first in the lock file, then in the checklist.

    A synonym that the checklist does not know, or places elsewhere, is only a note: sources that are asked by key do
    not need it.

    Raises:
        TaxonomyError: entries are not clear (all are listed, with what the checklist offers), or two are one taxon.
        FetchError: GBIF cannot be reached.
    """
    known = read_lock(lock)
    answers: dict[str, ResolvedName] = {}
    mistakes: list[str] = []
    notes: list[str] = []
    for entry in taxa.entries:
        try:
            answers[entry.name] = await _resolved(entry.name, entry, taxa, client, known)
        except NoClearMatch as problem:
            mistakes.append(f"  {entry.name}: {problem}")
            continue
        resolved = answers[entry.name]
        if resolved.accepted_name != entry.name:
            notes.append(
                f"{entry.name} is a synonym of {resolved.accepted_name} in the checklist; its records are taken."
            )
        for synonym in entry.synonyms:
            try:
                answers[synonym] = other = await _resolved(synonym, None, taxa, client, known)
                if other.key != resolved.key:
                    notes.append(
                        f"The checklist places {synonym} under {other.accepted_name}, the job under {entry.name}."
                    )
            except NoClearMatch as problem:
                notes.append(f"The synonym {synonym} of {entry.name} is not in the checklist: {problem}")
    by_entry = {entry.name: answers[entry.name] for entry in taxa.entries if entry.name in answers}
    mistakes += _same_taxon(by_entry)
    if answers.items() - known.items():
        write_lock(lock, {**known, **answers})
    if mistakes:
        lines = ["These names of the taxa list are not clear in GBIF's checklist:", *mistakes]
        lines.append("Correct the name, or write the right one's `key:` under the taxon.")
        raise TaxonomyError("\n".join(lines))
    return ResolvedTaxa(by_entry, tuple(notes))


def read_lock(path: Path) -> dict[str, ResolvedName]:
    """Read kept answers; without a file there are none.

    Raises:
        TaxonomyError: the file is damaged.
    """
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return {str(name): _from_lock(str(name), values) for name, values in content["taxa"].items()}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise TaxonomyError(f"{path} is damaged ({error}). Delete it; the names are then looked up again.") from None


def write_lock(path: Path, answers: Mapping[str, ResolvedName]) -> None:
    """Write answers in the order of their names."""
    taxa = {
        name: {key: value for key, value in vars(answer).items() if value is not None and key != "name"}
        for name, answer in sorted(answers.items())
    }
    write_text(path, _HEADER + yaml.safe_dump({"taxa": taxa}, sort_keys=False, allow_unicode=True, width=120))


def _from_lock(name: str, values: Mapping[str, Any]) -> ResolvedName:
    texts = {key: str(value) for key, value in values.items()}
    return ResolvedName(
        name=name,
        key=texts["key"],
        accepted_name=texts["accepted_name"],
        status=texts["status"],
        rank=texts["rank"],
        family=texts.get("family"),
        checklist=texts["checklist"],
        resolved=texts["resolved"],
    )


def _same_taxon(by_entry: Mapping[str, ResolvedName]) -> list[str]:
    first: dict[str, str] = {}
    mistakes = []
    for entry, resolved in by_entry.items():
        other = first.setdefault(resolved.key, entry)
        if other != entry:
            accepted = resolved.accepted_name
            mistakes.append(f"  {entry}: the same taxon as {other} ({accepted}); make one a synonym of the other")
    return mistakes


async def _resolved(
    name: str, entry: TaxonEntry | None, taxa: TaxaSettings, client: WebClient, known: Mapping[str, ResolvedName]
) -> ResolvedName:
    """Answer from the lock, else from the checklist. ``entry`` is None for synonyms, whose rank does not matter."""
    key = entry.key if entry else None
    kept = known.get(name)
    if kept is not None and kept.checklist == taxa.checklist and key in (None, kept.key):
        return kept
    rank = entry.rank if entry else None
    match = await _ask(name, rank, key, taxa.checklist, client)
    problem = _problem(match, name, rank, key)
    if problem is not None:
        raise NoClearMatch(problem)
    usage = match["usage"]
    accepted = match.get("acceptedUsage") or usage
    classification = match.get("classification") or []
    family = next((one.get("name") for one in classification if one.get("rank") == "FAMILY"), None)
    return ResolvedName(
        name=name,
        key=str(accepted["key"]),
        accepted_name=str(accepted.get("canonicalName") or accepted.get("name")),
        status=str(usage.get("status") or ("SYNONYM" if match.get("synonym") else "ACCEPTED")).lower(),
        rank=str(usage.get("rank")).lower(),
        family=text_of(family),
        checklist=taxa.checklist,
        resolved=today(),
    )


async def _ask(name: str, rank: str | None, key: str | None, checklist: str, client: WebClient) -> Any:  # noqa: ANN401
    """Return a match in the shape of the second API."""
    base = client.settings.gbif_url
    query = {"scientificName": name, "kingdom": "Plantae", "checklistKey": checklist, "verbose": "true"}
    if rank:
        query["taxonRank"] = rank.upper()
    if key:
        query = {"usageKey": key, "checklistKey": checklist}
    try:
        return await client.json(f"{base}/v2/species/match", query=query)
    except FetchError as trouble:
        if trouble.reason not in ("http_404", "http_410", "http_501", "not_json") or checklist != GBIF_BACKBONE:
            raise
    old = {"name": name, "kingdom": "Plantae", "strict": "true", "verbose": "true"}
    if rank:
        old["rank"] = rank.upper()
    if key:
        old = {"usageKey": key}
    return _in_new_shape(await client.json(f"{base}/v1/species/match", query=old))


def _in_new_shape(old: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a reply of the first API, flat and with numbers as keys, into the shape of the second."""
    match: dict[str, Any] = {
        "synonym": old.get("synonym", False),
        "diagnostics": {
            "matchType": old.get("matchType", "NONE"),
            "note": old.get("note"),
            "alternatives": [_in_new_shape(one) for one in old.get("alternatives") or ()],
        },
    }
    if "usageKey" in old:
        names = {"canonicalName": old.get("canonicalName"), "name": old.get("scientificName")}
        match["usage"] = {"key": str(old["usageKey"]), "rank": old.get("rank"), "status": old.get("status"), **names}
    if old.get("acceptedUsageKey"):
        accepted = old.get("species") if old.get("rank") == "SPECIES" else old.get(str(old.get("rank")).lower())
        match["acceptedUsage"] = {"key": str(old["acceptedUsageKey"]), "canonicalName": accepted}
    if old.get("family"):
        match["classification"] = [{"rank": "FAMILY", "name": old["family"]}]
    return match


def _problem(match: Mapping[str, Any], name: str, rank: str | None, key: str | None) -> str | None:
    """Say why a match does not count, and what the checklist offers instead."""
    usage = match.get("usage")
    diagnostics = match.get("diagnostics") or {}
    kind = str(diagnostics.get("matchType", "NONE"))
    offers = _offers([usage] if usage else [], diagnostics.get("alternatives") or ())
    if usage is None or kind == "NONE":
        equal = [one for one in diagnostics.get("alternatives") or () if _canonical(one.get("usage")) == name]
        if len(equal) > 1:
            return f"several taxa bear this name (homonyms). {offers}"
        return f"no match{_noted(diagnostics)}. {offers}"
    if kind == "HIGHERRANK":
        return f"only a taxon above it is known. {offers}"
    if key is not None:
        return None
    if kind != "EXACT":
        return f"only a similar name is known ({kind.lower()}). {offers}"
    if _canonical(usage) != name:
        return f"the checklist writes it otherwise. {offers}"
    if rank is not None and str(usage.get("rank", rank)).lower() != rank:
        return f"a {str(usage.get('rank')).lower()} in the checklist, a {rank} in the job. {offers}"
    return None


def _canonical(usage: Mapping[str, Any] | None) -> str | None:
    return text_of((usage or {}).get("canonicalName"))


def _noted(diagnostics: Mapping[str, Any]) -> str:
    note = text_of(diagnostics.get("note"))
    return f" ({note})" if note else ""


def _offers(usages: Sequence[Mapping[str, Any]], alternatives: Sequence[Mapping[str, Any]]) -> str:
    """The candidates with their keys, as the user would have to write them."""
    candidates = [*usages, *(one["usage"] for one in alternatives if one.get("usage"))]
    texts = []
    for one in candidates[:8]:
        parts = (text_of(one.get("rank")), text_of(one.get("status")))
        about = ", ".join(part.lower() for part in parts if part)
        texts.append(f"{one.get('name') or one.get('canonicalName')} [{about}; key: {one.get('key')}]")
    return f"Candidates: {'; '.join(texts)}." if texts else "The checklist offers no candidates."
