"""Arguments and options that several commands share, declared once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from leafid.errors import UsageError
from leafid.files import Existing

JobFile = Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace a setting of the job: --set training.max_epochs=5"),
]


class Device(StrEnum):
    """Where the network runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


DeviceOption = Annotated[
    Device, typer.Option("--device", help="Where the network runs; auto takes a GPU if there is one.")
]


class EngineChoice(StrEnum):
    """What runs the network."""

    AUTO = "auto"
    TORCH = "torch"
    OPENVINO = "openvino"
    ONNX = "onnx"
    OPENVINO_INT8 = "openvino-int8"
    ONNX_INT8 = "onnx-int8"


EngineOption = Annotated[
    EngineChoice,
    typer.Option("--engine", help="What runs the network; auto takes the fastest that `leafid export` has written."),
]


def number_or_auto(option: str, value: str) -> int | Literal["auto"]:
    """Return the value of an option that takes a number of at least 1, or ``auto``.

    Raises:
        UsageError: it is neither.
    """
    if value == "auto":
        return "auto"
    if not value.isascii() or not value.isdecimal() or int(value) < 1:
        raise UsageError(f"{option} {value}: give a whole number of at least 1, or auto.")
    return int(value)


def existing_output(resume: bool, force: bool, *, output: str = "output") -> Existing:
    """Return what becomes of an output that is there, by ``--resume`` and ``--force``.

    Raises:
        UsageError: both are given; ``output`` is what the command calls it.
    """
    if resume and force:
        raise UsageError(f"--resume keeps the {output} and --force replaces it: give one of them.")
    return "resume" if resume else "replace" if force else "refuse"


BundleArgument = Annotated[Path, typer.Argument(metavar="BUNDLE", help="The model folder, or the run that holds it.")]
CharactersOption = Annotated[
    bool, typer.Option("--characters", help="Measure the best leaf too and compare it with the floras.")
]
KeepLocationOption = Annotated[
    bool, typer.Option("--keep-location", help="Copy the position in a photo's EXIF into its record.")
]
ContactOption = Annotated[
    str | None,
    typer.Option(
        "--contact",
        metavar="MAIL",
        help="Your e-mail address or web page, sent along where images are fetched from the web.",
        show_default=False,
    ),
]
PrivateAddressesOption = Annotated[
    bool,
    typer.Option("--allow-private-addresses", help="Also fetch images from this machine and local networks."),
]
