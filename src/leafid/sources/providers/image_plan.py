"""Plan one image for each occurrence, check its licence, and record why other media are excluded."""

import json
from collections import Counter
from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from hashlib import sha256

from leafid.jobs import Job, WebSource
from leafid.progress import OnProgress
from leafid.sources.fetching.addresses import host_of
from leafid.sources.fetching.iiif import MANIFEST_PREFIX, SERVICE_PREFIX
from leafid.sources.fetching.journal import Journal
from leafid.sources.providers.licences import effective_licence
from leafid.sources.providers.media_choice import choose_medium
from leafid.sources.providers.occurrences import Medium, Occurrence
from leafid.sources.source_result import MAX_LISTED_FAILURES, Failure

BATCH_ROWS = 500


@dataclass
class Plan:
    """Counts, failures and notes of planning; the journal stores the planned images."""

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
        found: the occurrences; unreadable records are failures, notes for the user are text.
        job: its licences, taxa and seed.
        journal: stores the planned images.
        plan: collects counts, failures and notes.
        on_progress: called with the number of records found so far.
    """
    rows: list[tuple[str, ...]] = []
    excluded: list[tuple[str, ...]] = []
    unlisted: Counter[str] = Counter()
    async for one in found:
        if isinstance(one, str):
            plan.notes.append(one)
        elif isinstance(one, Failure):
            unlisted[str(one.reason)] += 1
            if unlisted[str(one.reason)] <= MAX_LISTED_FAILURES:
                plan.failures.append(one)
        else:
            plan.occurrences += 1
            _plan_occurrence(one, source.domain, job, rows, excluded)
        if len(rows) + len(excluded) >= BATCH_ROWS:
            on_progress(plan.occurrences, plan.occurrences)
            journal.add_to_plan(rows, excluded)
            rows.clear()
            excluded.clear()
    journal.add_to_plan(rows, excluded)
    for reason, count in unlisted.items():
        if count > MAX_LISTED_FAILURES:
            detail = f"{count - MAX_LISTED_FAILURES} more records that are not listed"
            plan.failures.append(Failure("", source.kind, reason, detail))


def _plan_occurrence(
    occurrence: Occurrence, domain: str, job: Job, rows: list[tuple[str, ...]], excluded: list[tuple[str, ...]]
) -> None:
    """Choose the image of one occurrence, or record why there is none."""

    def exclude(medium: Medium | None, licence: str, why: str) -> None:
        address = (medium.identifier or medium.references or "") if medium else ""
        excluded.append((occurrence.source, occurrence.key, address, licence, why))

    if not occurrence.media:
        exclude(None, "", "the record has no media")
    if occurrence.left_because:
        for medium in occurrence.media:
            exclude(medium, "", occurrence.left_because)
        return
    allowed: list[Medium] = []
    for medium in occurrence.media:
        licence, owner = effective_licence(medium.licence, occurrence.licence)
        if licence.name in job.fetching.licences:
            allowed.append(medium)
        else:
            exclude(medium, licence.name, f"licence {licence.name} (of the {owner}) is not among fetching.licences")
    choice = choose_medium(allowed, domain=domain)
    for medium, why in choice.excluded:
        exclude(medium, effective_licence(medium.licence, occurrence.licence)[0].name, why)
    if choice.chosen is not None:
        rows.append(_planned_row(occurrence, choice.chosen, choice.urls, domain, job))


def _planned_row(
    occurrence: Occurrence, medium: Medium, urls: tuple[str, ...], domain: str, job: Job
) -> tuple[str, ...]:
    """Return the values of ``PLANNED_COLUMNS`` for the chosen image."""
    licence, owner = effective_licence(medium.licence, occurrence.licence)
    address = urls[0].removeprefix(MANIFEST_PREFIX).removeprefix(SERVICE_PREFIX)
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
        host_of(address),
        address,
        json.dumps(urls),
        json.dumps({column: value for column, value in row.items() if value}, ensure_ascii=False),
    )
