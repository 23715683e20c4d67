"""Read and write job files: strict YAML, overrides, and all mistakes at once, each with its line."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from leafid.errors import JobError
from leafid.jobs.job import Job
from leafid.jobs.mistakes import Mistake, describe
from leafid.jobs.recipes import partial_content
from leafid.jobs.strict_yaml import Lines, read_yaml, write_yaml


def load_job(path: Path, overrides: Sequence[str] = ()) -> Job:
    """Read a job file and check it.

    Args:
        path: the YAML file.
        overrides: ``section.key=value`` strings that replace values of the file; they are read as YAML.

    Raises:
        JobError: the file cannot be read or has mistakes; all of them are listed, each with its line.
    """
    content, lines, mistakes = read_yaml(path)
    if mistakes:
        raise JobError(_message(path, mistakes))
    if isinstance(content.get("taxa"), str):
        content["taxa"] = _taxa_file(path, content["taxa"], lines)
    for override in overrides:
        _apply(content, lines, override)
    try:
        return Job.model_validate(content)
    except ValidationError as error:
        raise JobError(_message(path, describe(error, Job, lines))) from None


def with_settings(job: Job, settings: Mapping[str, object]) -> Job:
    """Return a job with some settings replaced, named as with ``--set``.

    Raises:
        JobError: a setting is unknown, or its value is not allowed.
    """
    content = partial_content(job)
    lines = Lines()
    for name, value in settings.items():
        keys = tuple(name.split("."))
        _put(content, keys, value, name)
        lines.override(keys, name)
    try:
        return Job.model_validate(content)
    except ValidationError as error:
        raise JobError(_message(Path(f"The job {job.name} with other settings"), describe(error, Job, lines))) from None


def dump_job(job: Job) -> str:
    """Write the effective job, every default spelled out, as YAML that ``load_job`` reads back to an equal job."""
    return write_yaml(job.model_dump(mode="json"))


def job_schema() -> dict[str, Any]:
    """Return the JSON Schema of a job file, for completion and checks in editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Job.model_json_schema()}


def _taxa_file(job: Path, name: str, lines: Lines) -> dict[str, Any]:
    """Read the file that ``taxa: FILE`` names, relative to the job file; add its lines to the job's."""
    path = job.parent / name
    if not path.is_file():
        line = lines.of(("taxa",))
        raise JobError(
            f"{job}:{line}: taxa: the file {path} does not exist. The path starts at the folder of the job file."
        )
    content: dict[str, Any]
    content, taxa_lines, mistakes = read_yaml(path)
    if mistakes:
        raise JobError(_message(path, mistakes))
    lines.graft(("taxa",), taxa_lines)
    return content


def _apply(content: dict[str, Any], lines: Lines, override: str) -> None:
    """Put ``section.key=value`` into the content."""
    dotted, equals, text = override.partition("=")
    keys = tuple(dotted.strip().split("."))
    if not equals or not all(keys):
        raise JobError(f"--set {override}: write it as section.key=value, for example --set training.max_epochs=5")
    value, _, mistakes = read_yaml(Path(f"--set {override}"), text=text, mapping=False)
    if mistakes:
        raise JobError(f"--set {override}: {mistakes[0].text}")
    _put(content, keys, value, f"--set {override}")
    lines.override(keys, f"--set {override}")


def _put(content: dict[str, Any], keys: tuple[str, ...], value: object, source: str) -> None:
    """Put a value into the content; missing sections are added. ``source`` is the user's own text, for messages."""
    section = content
    for key in keys[:-1]:
        inner = section.get(key)
        if inner is None:
            inner = section[key] = {}
        if not isinstance(inner, dict):
            raise JobError(f"{source}: {key} is not a section of the job")
        section = inner
    section[keys[-1]] = value


def _message(path: Path, mistakes: Sequence[Mistake]) -> str:
    """Return one line for each mistake, in the order of the file."""
    ordered = sorted(mistakes, key=lambda mistake: (isinstance(mistake.location, str), mistake.location))
    lines = [
        f"  {mistake.location}: {mistake.text}"
        if isinstance(mistake.location, str)
        else f"  line {mistake.location}: {mistake.text}"
        for mistake in ordered
    ]
    count = "1 mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    return "\n".join([f"{path} has {count}:", *lines])
