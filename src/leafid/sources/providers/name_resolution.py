"""Resolve the names of a job's taxa in a GBIF checklist once, and store the results in ``taxa.lock.yaml``.

The service is ``/v2/species/match``, or ``/v1/species/match`` where v2 is not served. Only an exact match at the right
rank is accepted. Authors are not compared, since the backbone writes "Mitragyna speciosa Korth." and others
"(Korth.) Havil.".
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
from leafid.sources.providers.occurrences import text_or_none

_HEADER = """\
# How GBIF's checklist resolved the names of the taxa list, and when. leafid writes this file and reads it instead of
# querying GBIF again, so that a job keeps its meaning. Commit it. To resolve a name again, delete its entry.
"""


@dataclass(frozen=True)
class ResolvedName:
    """A name of the job as resolved in the checklist: ``key`` and ``accepted_name`` are those of the accepted taxon."""

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
    """The resolved entries of a job, by name, and notes for the user."""

    by_entry: Mapping[str, ResolvedName]
    notes: tuple[str, ...]

    @property
    def keys(self) -> dict[str, str]:
        """The name of the entry by the key of its taxon."""
        return {resolved.key: entry for entry, resolved in self.by_entry.items()}


class UnclearNameError(Exception):
    """The checklist has no exact match of a name; the message lists the candidates."""


async def resolve_taxa(taxa: TaxaSettings, client: WebClient, lock: Path) -> ResolvedTaxa:
    """Resolve every entry and its synonyms, from the lock file or else from the checklist.

    A synonym that the checklist lacks, or assigns to another taxon, is only noted, since sources that are queried by
    key do not need it.

    Raises:
        TaxonomyError: entries have no clear match (all are listed, with candidates), or two entries are one taxon.
        FetchError: GBIF cannot be reached.
    """
    known_names = read_lock(lock)
    resolved_names: dict[str, ResolvedName] = {}
    mistakes: list[str] = []
    notes: list[str] = []
    for entry in taxa.entries:
        try:
            resolved_names[entry.name] = await _resolve_name(entry.name, entry, taxa, client, known_names)
        except UnclearNameError as problem:
            mistakes.append(f"  {entry.name}: {problem}")
            continue
        resolved = resolved_names[entry.name]
        if resolved.accepted_name != entry.name:
            notes.append(
                f"{entry.name} is a synonym of {resolved.accepted_name} in the checklist; its records are used."
            )
        for synonym in entry.synonyms:
            try:
                resolved_names[synonym] = other = await _resolve_name(synonym, None, taxa, client, known_names)
                if other.key != resolved.key:
                    notes.append(
                        f"The checklist places {synonym} under {other.accepted_name}, the job under {entry.name}."
                    )
            except UnclearNameError as problem:
                notes.append(f"The synonym {synonym} of {entry.name} is not in the checklist: {problem}")
    by_entry = {entry.name: resolved_names[entry.name] for entry in taxa.entries if entry.name in resolved_names}
    mistakes += _duplicate_taxa(by_entry)
    if resolved_names.items() - known_names.items():
        write_lock(lock, {**known_names, **resolved_names})
    if mistakes:
        lines = ["These names of the taxa list have no clear match in GBIF's checklist:", *mistakes]
        lines.append("Correct the name, or write the right one's `key:` under the taxon.")
        raise TaxonomyError("\n".join(lines))
    return ResolvedTaxa(by_entry, tuple(notes))


def read_lock(path: Path) -> dict[str, ResolvedName]:
    """Read the resolved names of a lock file; without a file there are none.

    Raises:
        TaxonomyError: the file is damaged.
    """
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return {str(name): _from_lock(str(name), values) for name, values in content["taxa"].items()}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise TaxonomyError(f"{path} is damaged ({error}). Delete it; the names are then resolved again.") from None


def write_lock(path: Path, resolved_names: Mapping[str, ResolvedName]) -> None:
    """Write a lock file, sorted by name."""
    taxa = {
        name: {key: value for key, value in vars(resolved).items() if value is not None and key != "name"}
        for name, resolved in sorted(resolved_names.items())
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


def _duplicate_taxa(by_entry: Mapping[str, ResolvedName]) -> list[str]:
    first: dict[str, str] = {}
    mistakes = []
    for entry, resolved in by_entry.items():
        other = first.setdefault(resolved.key, entry)
        if other != entry:
            accepted = resolved.accepted_name
            mistakes.append(f"  {entry}: the same taxon as {other} ({accepted}); make one a synonym of the other")
    return mistakes


async def _resolve_name(
    name: str, entry: TaxonEntry | None, taxa: TaxaSettings, client: WebClient, known: Mapping[str, ResolvedName]
) -> ResolvedName:
    """Resolve a name from the lock file or else from the checklist.

    ``entry`` is None for synonyms, whose rank is not checked.
    """
    key = entry.key if entry else None
    locked = known.get(name)
    if locked is not None and locked.checklist == taxa.checklist and key in (None, locked.key):
        return locked
    rank = entry.rank if entry else None
    match = await _match_name(name, rank, key, taxa.checklist, client)
    try:
        problem = _match_problem(match, name, rank, key)
    except (AttributeError, TypeError, KeyError):
        raise UnclearNameError("the reply of the checklist cannot be read") from None
    if problem is not None:
        raise UnclearNameError(problem)
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
        family=text_or_none(family),
        checklist=taxa.checklist,
        resolved=today(),
    )


async def _match_name(name: str, rank: str | None, key: str | None, checklist: str, client: WebClient) -> Any:  # noqa: ANN401
    """Query the checklist; return a reply in the format of API v2."""
    base = client.settings.gbif_url
    query = {"scientificName": name, "kingdom": "Plantae", "checklistKey": checklist, "verbose": "true"}
    if rank:
        query["taxonRank"] = rank.upper()
    if key:
        query = {"usageKey": key, "checklistKey": checklist}
    try:
        return await client.fetch_json(f"{base}/v2/species/match", query=query)
    except FetchError as error:
        if error.reason not in ("http_404", "http_410", "http_501", "not_json") or checklist != GBIF_BACKBONE:
            raise
    old = {"name": name, "kingdom": "Plantae", "strict": "true", "verbose": "true"}
    if rank:
        old["rank"] = rank.upper()
    if key:
        old = {"usageKey": key}
    return _as_v2_reply(await client.fetch_json(f"{base}/v1/species/match", query=old))


def _as_v2_reply(old: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a reply of API v1, which is flat and has numeric keys, to the format of v2."""
    match: dict[str, Any] = {
        "synonym": old.get("synonym", False),
        "diagnostics": {
            "matchType": old.get("matchType", "NONE"),
            "note": old.get("note"),
            "alternatives": [_as_v2_reply(one) for one in old.get("alternatives") or ()],
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


def _match_problem(match: Mapping[str, Any], name: str, rank: str | None, key: str | None) -> str | None:
    """Return why a match is not accepted, with the candidates of the checklist; None if it is accepted."""
    usage = match.get("usage")
    diagnostics = match.get("diagnostics") or {}
    kind = str(diagnostics.get("matchType", "NONE"))
    candidates = _candidates_text([usage] if usage else [], diagnostics.get("alternatives") or ())
    if usage is None or kind == "NONE":
        equal = [one for one in diagnostics.get("alternatives") or () if _canonical(one.get("usage")) == name]
        if len(equal) > 1:
            return f"several taxa have this name (homonyms). {candidates}"
        return f"no match{_note_text(diagnostics)}. {candidates}"
    if kind == "HIGHERRANK":
        return f"only a taxon of higher rank was found. {candidates}"
    if key is not None:
        return None
    if kind != "EXACT":
        return f"only a similar name was found ({kind.lower()}). {candidates}"
    if _canonical(usage) != name:
        return f"the checklist has a different spelling. {candidates}"
    if rank is not None and str(usage.get("rank", rank)).lower() != rank:
        return f"a {str(usage.get('rank')).lower()} in the checklist, a {rank} in the job. {candidates}"
    return None


def _canonical(usage: Mapping[str, Any] | None) -> str | None:
    return text_or_none((usage or {}).get("canonicalName"))


def _note_text(diagnostics: Mapping[str, Any]) -> str:
    note = text_or_none(diagnostics.get("note"))
    return f" ({note})" if note else ""


def _candidates_text(usages: Sequence[Mapping[str, Any]], alternatives: Sequence[Mapping[str, Any]]) -> str:
    """Describe the candidates with the keys that the user can write into the job."""
    candidates = [*usages, *(one["usage"] for one in alternatives if one.get("usage"))]
    texts = []
    for one in candidates[:8]:
        parts = (text_or_none(one.get("rank")), text_or_none(one.get("status")))
        about = ", ".join(part.lower() for part in parts if part)
        texts.append(f"{one.get('name') or one.get('canonicalName')} [{about}; key: {one.get('key')}]")
    return f"Candidates: {'; '.join(texts)}." if texts else "The checklist offers no candidates."
