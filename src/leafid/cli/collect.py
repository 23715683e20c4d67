"""``leafid collect`` and ``leafid audit``: collects the images of a job into its catalog, and checks the catalog."""

from typing import TYPE_CHECKING, Annotated

import typer

from leafid.cli.arguments import JobFile, Overrides
from leafid.cli.supervision import survive_crashes
from leafid.errors import ExitCode

if TYPE_CHECKING:
    from leafid.jobs import Job

Limit = Annotated[
    int | None,
    typer.Option(
        "--limit-per-taxon",
        metavar="N",
        min=1,
        help="Fetch at most N images of each taxon, spread over the herbaria; same as fetching.limit_per_taxon.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the number of images, their size and licences; fetch none.")
]


def collect(
    job_file: JobFile, overrides: Overrides = None, limit_per_taxon: Limit = None, dry_run: DryRun = False
) -> None:
    """Collect the images of a job.

    Writes the catalog. After an interruption, the same command continues; no image is fetched twice. Images that cannot
    be fetched or read are listed with the reason in failures.csv, next to the catalog; the exit code is then 3.
    """
    survive_crashes()

    from leafid.curation import assign_gatherings
    from leafid.installation import require_training
    from leafid.jobs import load_job
    from leafid.progress import progress_bar
    from leafid.sources import collect as collect_sources

    limit = [] if limit_per_taxon is None else [f"fetching.limit_per_taxon={limit_per_taxon}"]
    job = load_job(job_file, [*(overrides or ()), *limit])
    require_training()
    if dry_run:
        _show_dry_run(job)
        return
    collected = collect_sources(job, progress_bar=progress_bar)
    with progress_bar("Comparing images") as on_progress:
        gathered = assign_gatherings(collected.catalog_path, on_progress=on_progress)
    for name, count in collected.by_taxon.items():
        print(f"{count:7d}  {name}")
    print(f"{collected.rows:7d}  images of {gathered.gatherings} gatherings in {collected.catalog_path}")
    if gathered.near_duplicates:
        near = collected.catalog_path.with_name("near_duplicates.csv")
        print(f"Note: {gathered.near_duplicates} pairs of images are near-duplicates: {near}")
    for path, reason in gathered.unreadable.items():
        print(f"Note: {path} could not be compared: {reason}")
    for note in collected.notes:
        print(f"Note: {note}")
    if collected.failures:
        reasons = ", ".join(f"{count} {reason}" for reason, count in collected.by_reason.items())
        print(f"{collected.failures} could not be fetched or read ({reasons}): {collected.failures_path}")
        raise typer.Exit(ExitCode.SOME_FAILED)


def _show_dry_run(job: "Job") -> None:
    from leafid.progress import progress_bar
    from leafid.sources import dry_run

    plan = dry_run(job, progress_bar=progress_bar)
    for title, counts in (
        ("images by taxon", plan.by_taxon),
        ("images by licence", plan.by_licence),
        ("images by host", plan.by_host),
        ("media that would be left out", plan.excluded),
    ):
        print(f"{title}:")
        for name, count in counts.items():
            print(f"{count:9d}  {name}")
    size = plan.size
    about = f"about {size.bytes / 1e9:.2f} GB to fetch, from the sizes of {size.sampled_files} files"
    unknown = f"; {size.unknown_images} images are on hosts that do not report sizes" if size.unknown_images else ""
    print(f"{plan.images} images of {plan.occurrences} records; {about}{unknown}.")
    for note in plan.notes:
        print(f"Note: {note}")
    print("Nothing was fetched (--dry-run). Every medium is listed in", job.data_folder / "media.csv")


def audit(job_file: JobFile, overrides: Overrides = None) -> None:
    """Check a catalog before training.

    Reports counts, near-duplicate images, and shortcuts: features other than the plant by which a network could
    distinguish the taxa, such as the paper of one herbarium.
    """
    from leafid.curation import audit as audit_catalog
    from leafid.installation import require_training
    from leafid.jobs import load_job
    from leafid.progress import progress_bar
    from leafid.sheets import plant_mask

    job = load_job(job_file, overrides or ())
    require_training()
    with progress_bar("Auditing") as on_progress:
        files = audit_catalog(job, plant_mask=plant_mask, on_progress=on_progress)
    for note in files.audit.notes:
        print(f"Note: {note}")
    for warning in files.audit.warnings:
        print(f"Warning: {warning}")
    print(f"Audit: {files.html_path}\nFigures: {files.json_path}")
