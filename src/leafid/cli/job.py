"""``leafid job``: checks a job file, prints the schema of job files."""

import typer

from leafid.cli.arguments import JobFile, Overrides

job = typer.Typer(help="Check job files, or print their schema.", no_args_is_help=True)


@job.command()
def check(job_file: JobFile, overrides: Overrides = None) -> None:
    """Check a job file and print it with all defaults."""
    from leafid.jobs import dump_job, load_job

    print(dump_job(load_job(job_file, overrides or ())), end="")


@job.command()
def schema() -> None:
    """Print the JSON Schema, for completion in editors."""
    import json

    from leafid.jobs import job_schema

    print(json.dumps(job_schema(), indent=2, ensure_ascii=False))
