"""``leafid job``: writes, checks and documents job files."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import JobFile, Overrides
from leafid.cli.standard_streams import check_printed

job = typer.Typer(help="Write and check job files, or print their schema.", no_args_is_help=True)


class JobTemplate(StrEnum):
    """Jobs that leafid can write."""

    MY_FOLDER = "my-folder"
    MITRAGYNA = "mitragyna"


@job.command()
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Job file to write, ending in .yaml.")],
    template: Annotated[
        JobTemplate,
        typer.Option("--for", help="my-folder: your images, in folders named by taxon; mitragyna: public sheets."),
    ] = JobTemplate.MY_FOLDER,
) -> None:
    """Write a commented job file to start from."""
    from leafid.jobs import write_job_template

    for path in write_job_template(file, template.value):
        print(f"Wrote:  {path}")
    print(f"Next:   edit it, then  leafid job check {file}")


@job.command()
def check(job_file: JobFile, overrides: Overrides = None) -> None:
    """Check a job file and print it with all settings, those of its recipe included."""
    from leafid.jobs import apply_recipe, dump_job, load_job
    from leafid.jobs.recipes import ADAPTATION

    loaded = load_job(job_file, overrides or ())
    effective, rules = apply_recipe(loaded)
    print(dump_job(effective), end="")
    if rules:
        print(ADAPTATION)
    check_printed()


@job.command()
def schema() -> None:
    """Print the JSON Schema, for completion in editors."""
    import json

    from leafid.jobs import job_schema

    print(json.dumps(job_schema(), indent=2, ensure_ascii=False))
    check_printed()
