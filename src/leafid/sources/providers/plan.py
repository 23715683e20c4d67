"""From occurrences to a plan: one image for each record, licences checked, and a word on everything that is left."""

import json
from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import urlsplit

from leafid.jobs import Job, WebSource
from leafid.progress import OnProgress
from leafid.sources.fetching.iiif import MANIFEST, SERVICE
from leafid.sources.fetching.journal import Journal
from leafid.sources.found import Failure, SourceReason
from leafid.sources.providers.licences import effective_licence
from leafid.sources.providers.media import choose
from leafid.sources.providers.occurrences import Medium, Occurrence

BATCH = 500


@dataclass
class Plan:
    """What was met on the way to a plan; the plan itself lies in the journal."""

    occurrences: int = 0
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def plan_source(
    source: WebSource,
    found: AsyncIterable[Occurrence | Failure | str],
    job: Job,
    journal: Journal,
    plan: Plan,
    on_progress: OnProgress,
) -> None:
    """Write the images of one source into the journal.

    Args:
        source: where the occurrences come from.
        found: the occurrences; records that cannot be read come as failures, sentences for the user as text.
        job: licences, taxa, seed.
        journal: takes the plan.
        plan: counts, failures and notes are added to it.
        on_progress: told of records found so far.
    """
    rows: list[tuple[str, ...]] = []
    left: list[tuple[str, ...]] = []
    async for one in found:
        if isinstance(one, str):
            plan.notes.append(one)
        elif isinstance(one, Failure):
            plan.failures.append(one)
        else:
            plan.occurrences += 1
            _plan_one(one, source.domain, job, rows, left)
        if len(rows) + len(left) >= BATCH:
            on_progress(plan.occurrences, plan.occurrences)
            journal.plan(rows, left)
            rows.clear()
            left.clear()
    journal.plan(rows, left)


def _plan_one(
    occurrence: Occurrence, domain: str, job: Job, rows: list[tuple[str, ...]], left: list[tuple[str, ...]]
) -> None:
    """Choose the image of one occurrence, or say why there is none."""

    def leave(medium: Medium | None, licence: str, why: str) -> None:
        address = (medium.identifier or medium.references or "") if medium else ""
        left.append((occurrence.source, occurrence.key, address, licence, why))

    if not occurrence.media:
        leave(None, "", "the record has no media")
    allowed: list[Medium] = []
    for medium in occurrence.media:
        licence, owner = effective_licence(medium.licence, occurrence.licence)
        if licence.name in job.fetching.licences:
            allowed.append(medium)
        else:
            leave(medium, licence.name, f"licence {licence.name} (of the {owner}) is not among fetching.licences")
    choice = choose(allowed, domain=domain)
    for medium, why in choice.left:
        leave(medium, effective_licence(medium.licence, occurrence.licence)[0].name, why)
    if choice.taken is not None:
        rows.append(_planned(occurrence, choice.taken, choice.urls, domain, job))


def _planned(occurrence: Occurrence, medium: Medium, urls: tuple[str, ...], domain: str, job: Job) -> tuple[str, ...]:
    """Make the values of ``PLANNED`` for the image taken."""
    licence, owner = effective_licence(medium.licence, occurrence.licence)
    address = urls[0].removeprefix(MANIFEST).removeprefix(SERVICE)
    row = {
        **occurrence.values,
        "license": licence.name,
        "licenseFrom": owner,
        "licenseStatement": licence.statement,
        "rightsHolder": medium.rights_holder or occurrence.values.get("rightsHolder", ""),
        "creator": medium.creator or "",
        "accessURI": address,
        "domain": domain,
        "source": occurrence.source,
    }
    name = row["scientificName"]
    entry = job.taxa.entry_of(name) if job.taxa else None
    return (
        occurrence.source,
        occurrence.key,
        name,
        entry.label_name if entry else name,
        row.get("institutionCode") or row.get("datasetKey") or "",
        licence.name,
        sha256(f"{job.seed} {address}".encode()).hexdigest(),
        urlsplit(address).netloc.lower(),
        address,
        json.dumps(urls),
        json.dumps({column: value for column, value in row.items() if value}, ensure_ascii=False),
    )


def no_taxon(source: str, key: str, name: str | None) -> Failure:
    """A record whose name is missing or cannot be read."""
    detail = f"the name {name!r} cannot be read" if name else "the record has no scientific name"
    return Failure(key, source, SourceReason.NO_TAXON, detail)
