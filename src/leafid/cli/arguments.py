"""Arguments and options that several commands share, and checks of their values."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from leafid.destinations import Destination, check_destinations, is_marked
from leafid.errors import UsageError
from leafid.files import Existing

JobFile = Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace a setting of the job: --set training.max_epochs=5"),
]


class Device(StrEnum):
    """Device on which the network runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


DeviceOption = Annotated[
    Device, typer.Option("--device", help="Device on which the network runs; auto: a GPU if available.")
]


class EngineChoice(StrEnum):
    """Engine that runs the network."""

    AUTO = "auto"
    TORCH = "torch"
    OPENVINO = "openvino"
    ONNX = "onnx"
    OPENVINO_INT8 = "openvino-int8"
    ONNX_INT8 = "onnx-int8"


EngineOption = Annotated[
    EngineChoice,
    typer.Option(
        "--engine", help="Engine that runs the network; auto: the fastest that `leafid export` has written, else torch."
    ),
]


def number_or_auto(option: str, value: str) -> int | Literal["auto"]:
    """Return the value of an option that is a whole number of at least 1 or ``auto``.

    Raises:
        UsageError: the value is neither.
    """
    if value == "auto":
        return "auto"
    if not value.isascii() or not value.isdecimal() or int(value) < 1:
        raise UsageError(f"{option} {value}: give a whole number of at least 1, or auto.")
    return int(value)


def existing_output(resume: bool, force: bool, *, output: str = "output") -> Existing:
    """Return what happens to an existing output, from ``--resume`` and ``--force``.

    Raises:
        UsageError: both are given; ``output`` is the word for it in the message.
    """
    if resume and force:
        raise UsageError(f"--resume keeps the {output} and --force replaces it. Give one of them.")
    return "resume" if resume else "replace" if force else "refuse"


def check_extension(output: Path, *extensions: str) -> None:
    """Check that the value of ``-o`` has one of the file extensions of a command, in lower or upper case.

    Raises:
        UsageError: it has another.
    """
    if output.suffix.lower() not in extensions:
        raise UsageError(f"-o {output}: name a file that ends in {' or '.join(extensions[:2])}.")


def check_picture(output: Path, *inputs: Path) -> None:
    """Check that the value of ``-o`` is a picture that may be written; an earlier one of leafid is replaced.

    Raises:
        UsageError: it has another extension.
        OutputError: it cannot be written, is one of ``inputs``, or is not from leafid.
    """
    check_extension(output, ".png", ".jpg", ".jpeg")
    destination = Destination("-o", output, is_marked, makes_folders=False)
    check_destinations([destination], inputs=inputs, existing="replace")


def _local_bundle(value: str) -> Path:
    """Return the path of a bundle; one on the web is fetched."""
    from leafid.bundle import bundle_folder
    from leafid.bundle.addresses import is_bundle_address

    return bundle_folder(value) if is_bundle_address(value) else Path(value)


BundleArgument = Annotated[
    Path,
    typer.Argument(
        metavar="BUNDLE",
        parser=_local_bundle,
        help="The model: its folder, the run that holds it, a .zip of it, https://....zip#sha256=HASH, or "
        "hf://OWNER/NAME@REVISION.",
    ),
]
CharactersOption = Annotated[
    bool, typer.Option("--characters", help="Also measure the best leaf and compare it with the floras.")
]
KeepLocationOption = Annotated[
    bool, typer.Option("--keep-location", help="Copy the GPS position in a photo's EXIF into its record.")
]
ContactOption = Annotated[
    str | None,
    typer.Option(
        "--contact",
        metavar="MAIL",
        help="Your e-mail address or web page, sent to hosts from which images are fetched.",
        show_default=False,
    ),
]
PrivateAddressesOption = Annotated[
    bool,
    typer.Option("--allow-private-addresses", help="Also fetch images from this machine and local networks."),
]
