"""Commented job files to start from (``leafid job new``)."""

from pathlib import Path

from leafid.errors import OutputError, UsageError
from leafid.files import write_text
from leafid.shipped import shipped

MY_FOLDER = """\
# Train on your own images. One folder for each taxon, named by its scientific name:
#   photos/Mitragyna speciosa/sheet1.jpg
#   photos/Mitragyna hirsuta/sheet7.jpg
#
#   leafid collect {file}      reads the folders and writes the catalog
#   leafid train {file}        trains and calibrates
#   leafid evaluate runs/{name} --on test
name: {name}

sources:
  - kind: folder
    path: photos

# The settings of training. balanced: the best per minute on a laptop; fast; accurate: hours without a GPU.
recipe: balanced

# The taxon you look for and those that it is confused with. Without this section: all folders, without a target.
# taxa:
#   target: Mitragyna speciosa
#   look_alikes: [Mitragyna hirsuta, Mitragyna diversifolia]

model:
  weights: imagenet # downloaded once; without a network: the path of a weights file

# trust:
#   min_probability: 0.5 # below it the answer is "I cannot tell"
"""


def write_job_template(file: Path, template: str) -> tuple[Path, ...]:
    """Write a job file, and the taxon list that it names if it names one; return the files written.

    Args:
        file: the job file; its name without extension becomes the job's name.
        template: ``my-folder`` or ``mitragyna``.

    Raises:
        UsageError: the file name is not usable as the name of a job.
        OutputError: a file exists already, or cannot be written.
    """
    if file.suffix.lower() not in (".yaml", ".yml"):
        raise UsageError(f"{file}: a job file ends in .yaml. Name it {file.with_suffix('.yaml')}.")
    contents = {file: MY_FOLDER.format(file=file, name=_job_name(file))}
    if template == "mitragyna":
        text = shipped("configs/mitragyna.yaml").read_text(encoding="utf-8")
        contents = {file: text.replace("configs/mitragyna.yaml", str(file))}
        contents[file.parent / "taxa" / "mitragyna.yaml"] = shipped("configs/taxa/mitragyna.yaml").read_text("utf-8")
    existing = [str(path) for path in contents if path.exists()]
    if existing:
        raise OutputError(f"{' and '.join(existing)} exists already. Choose another name.")
    for path, text in contents.items():
        write_text(path, text)
    return tuple(contents)


def _job_name(file: Path) -> str:
    name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in file.stem.lower()).strip("-")
    if not name or len(name) > 64:
        raise UsageError(f"{file}: the name of a job has 1 to 64 small letters, digits and hyphens. Rename the file.")
    return name
