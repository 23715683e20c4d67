"""``leafid collect``: images of the job's sources into its catalog."""

import typer

from leafid.cli.arguments import JobFile, Overrides
from leafid.errors import ExitCode


def collect(job_file: JobFile, overrides: Overrides = None) -> None:
    """Gather the images of a job and write its catalog.

    Images that cannot be read are listed in failures.csv beside the catalog, each with the reason;
    the exit code is then 3.
    """
    from leafid.curation import assign_gatherings
    from leafid.jobs import load_job
    from leafid.progress import progress_bar
    from leafid.sources import collect as collect_sources

    job = load_job(job_file, overrides or ())
    collected = collect_sources(job, bar=progress_bar)
    with progress_bar("Comparing images") as on_progress:
        gathered = assign_gatherings(collected.catalog_path, on_progress=on_progress)
    for name, count in collected.by_taxon.items():
        print(f"{count:7d}  {name}")
    print(f"{collected.rows:7d}  images of {gathered.gatherings} gatherings in {collected.catalog_path}")
    if gathered.near_duplicates:
        near = collected.catalog_path.with_name("near_duplicates.csv")
        print(f"Note: {gathered.near_duplicates} pairs of images look alike: {near}")
    for path, reason in gathered.unread.items():
        print(f"Note: {path} could not be compared: {reason}")
    for note in collected.notes:
        print(f"Note: {note}")
    if collected.failures:
        reasons = ", ".join(f"{count} {reason}" for reason, count in collected.by_reason.items())
        print(f"{collected.failures} could not be read ({reasons}): {collected.failures_path}")
        raise typer.Exit(ExitCode.SOME_FAILED)
