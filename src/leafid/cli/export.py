"""``leafid export``: a compiled network in the bundle, for faster identification on CPUs."""

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import BundleArgument
from leafid.errors import UsageError


class Format(StrEnum):
    """What the network is compiled for."""

    OPENVINO = "openvino"
    ONNX = "onnx"


def export(
    bundle: BundleArgument,
    to: Annotated[Format, typer.Option("--to", help="The engine; needs leafid[openvino] or leafid[onnx].")],
    images: Annotated[
        list[str] | None,
        typer.Option(
            "--images",
            metavar="PATH",
            help="Photos, folders, globs or tables on which the answers are compared; may be repeated. "
            "Without it sheets are drawn.",
        ),
    ] = None,
    sheets: Annotated[int, typer.Option("--sheets", min=1, help="How many sheets are drawn.")] = 12,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="With 8-bit integers: faster, not quite the same answers; needs leafid[int8]."),
    ] = False,
    calibrate: Annotated[
        list[str] | None,
        typer.Option(
            "--calibrate",
            metavar="PATH",
            help="Photos by which 8-bit integers are fitted, about 100 of all taxa; may be repeated.",
        ),
    ] = None,
) -> None:
    """Compile the network of a bundle for a faster engine; refused if it does not answer like torch.

    `leafid identify` then uses it on CPUs by itself where it is faster, or with `--engine`; with `--int8` only when it
    is named. What 8-bit integers cost depends on the network: compare with `--images` that were not for training.
    """
    from leafid.demo import draw_herbarium
    from leafid.identify import CompiledName, export_engine, find_inputs
    from leafid.installation import require_torch
    from leafid.progress import progress_bar

    if int8 != bool(calibrate):
        raise UsageError("--int8 needs photos named with --calibrate, and only --int8 does.")
    engine: CompiledName = f"{to.value}-int8" if int8 else to.value  # type: ignore[assignment]
    require_torch()
    with tempfile.TemporaryDirectory(prefix="leafid-export-") as drawn:
        if images:
            found = find_inputs(images)
            for remark in found.remarks:
                print(remark)
            paths = tuple(map(Path, found.paths))
        else:
            with progress_bar("Drawing", unit="sheets") as on_progress:
                draw_herbarium(Path(drawn), sheets=sheets, on_progress=on_progress)
            paths = tuple(sorted(Path(drawn, "images").iterdir()))
        with progress_bar("Comparing") as on_progress:
            parity = export_engine(
                bundle,
                engine,
                paths,
                calibration=tuple(map(Path, find_inputs(calibrate).paths)) if calibrate else (),
                on_progress=on_progress,
            )
    print(f"{parity}.")
