"""``leafid job``: check a job file, print its schema."""

import typer

from leafid.cli.arguments import JobFile, Overrides

job = typer.Typer(help="Check a job file, or print the schema from which editors complete one.", no_args_is_help=True)


@job.command()
def check(job_file: JobFile, overrides: Overrides = None) -> None:
    """Check a job file and print the effective job, every default spelled out."""
    from leafid.jobs import dump_job, load_job

    print(dump_job(load_job(job_file, overrides or ())), end="")


@job.command()
def schema() -> None:
    """Print the JSON Schema of job files."""
    import json

    from leafid.jobs import job_schema

    print(json.dumps(job_schema(), indent=2, ensure_ascii=False))
