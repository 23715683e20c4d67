"""``leafid collect``: images of the job's sources into its catalog."""

from typing import TYPE_CHECKING, Annotated

import typer

from leafid.cli.arguments import JobFile, Overrides
from leafid.errors import ExitCode

if TYPE_CHECKING:
    from leafid.jobs import Job

Limit = Annotated[
    int | None,
    typer.Option(
        "--limit-per-taxon",
        metavar="N",
        min=1,
        help="Fetch at most N images of each taxon, spread over the herbaria; as fetching.limit_per_taxon.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be fetched, how many bytes, under which licences; fetch none.")
]


def collect(
    job_file: JobFile, overrides: Overrides = None, limit_per_taxon: Limit = None, dry_run: DryRun = False
) -> None:
    """Gather the images of a job and write its catalog.

    Interrupted, the same command goes on where it stopped; no image is fetched twice. Images that cannot
    be had or read are listed in failures.csv beside the catalog, each with the reason; the exit code is then 3.
    """
    from leafid.curation import assign_gatherings
    from leafid.jobs import load_job
    from leafid.progress import progress_bar
    from leafid.sources import collect as collect_sources

    limit = [] if limit_per_taxon is None else [f"fetching.limit_per_taxon={limit_per_taxon}"]
    job = load_job(job_file, [*(overrides or ()), *limit])
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
        print(f"Note: {gathered.near_duplicates} pairs of images look alike: {near}")
    for path, reason in gathered.unreadable.items():
        print(f"Note: {path} could not be compared: {reason}")
    for note in collected.notes:
        print(f"Note: {note}")
    if collected.failures:
        reasons = ", ".join(f"{count} {reason}" for reason, count in collected.by_reason.items())
        print(f"{collected.failures} could not be had or read ({reasons}): {collected.failures_path}")
        raise typer.Exit(ExitCode.SOME_FAILED)


def _show_dry_run(job: "Job") -> None:
    from leafid.progress import progress_bar
    from leafid.sources import dry_run

    plan = dry_run(job, progress_bar=progress_bar)
    for title, counts in (
        ("images by taxon", plan.by_taxon),
        ("images by licence", plan.by_licence),
        ("images by host", plan.by_host),
        ("media that would be left", plan.excluded),
    ):
        print(f"{title}:")
        for name, count in counts.items():
            print(f"{count:9d}  {name}")
    size = plan.size
    about = f"about {size.bytes / 1e9:.2f} GB to fetch, from the sizes of {size.sampled_files} files"
    unknown = f"; {size.unknown_images} images are on hosts that do not say" if size.unknown_images else ""
    print(f"{plan.images} images of {plan.occurrences} records; {about}{unknown}.")
    for note in plan.notes:
        print(f"Note: {note}")
    print("Nothing was fetched (--dry-run). Every medium is listed in", job.data_folder / "media.csv")
