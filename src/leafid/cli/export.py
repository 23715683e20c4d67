"""``leafid export``: compiles the network of a bundle for faster identification on CPUs."""

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import BundleArgument
from leafid.errors import UsageError


class Format(StrEnum):
    """Runtime for which the network is compiled."""

    OPENVINO = "openvino"
    ONNX = "onnx"


def export(
    bundle: BundleArgument,
    to: Annotated[Format, typer.Option("--to", help="The runtime: onnx, which every leafid has, or openvino.")],
    images: Annotated[
        list[str] | None,
        typer.Option(
            "--images",
            metavar="PATH",
            help="Photos, folders, globs or tables on which the results are compared with torch; may be repeated. "
            "Without it, on drawn sheets.",
        ),
    ] = None,
    sheets: Annotated[int, typer.Option("--sheets", min=1, help="Number of sheets to draw.")] = 12,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8", help="Quantize to 8-bit integers: faster, with slightly different results; needs leafid[int8]."
        ),
    ] = False,
    calibrate: Annotated[
        list[str] | None,
        typer.Option(
            "--calibrate",
            metavar="PATH",
            help="Photos to calibrate the quantization, about 100 of all taxa; may be repeated.",
        ),
    ] = None,
) -> None:
    """Compile a network for faster identification.

    Export to onnx before you send a bundle: leafid without the extra `train` identifies only by a compiled engine. The
    export is refused if its results differ from those of torch. On CPUs, `leafid identify` then uses the compiled
    engine if it is faster, or with `--engine`; an `--int8` engine only with `--engine`. The accuracy that quantization
    loses depends on the network: compare on `--images` that were not used for training. Needs leafid[train], for
    openvino leafid[openvino] too.
    """
    from leafid.demo import draw_herbarium
    from leafid.identify import CompiledName, export_engine, find_inputs
    from leafid.installation import require_torch
    from leafid.progress import progress_bar

    if int8 != bool(calibrate):
        raise UsageError("--int8 and --calibrate belong together. Give both, with photos for --calibrate, or neither.")
    engine: CompiledName = f"{to.value}-int8" if int8 else to.value  # type: ignore[assignment]
    require_torch()
    with tempfile.TemporaryDirectory(prefix="leafid-export-") as temporary:
        if images:
            found = find_inputs(images)
            for remark in found.remarks:
                print(remark)
            paths = tuple(map(Path, found.paths))
        else:
            with progress_bar("Drawing", unit="sheets") as on_progress:
                draw_herbarium(Path(temporary), sheets=sheets, on_progress=on_progress)
            paths = tuple(sorted(Path(temporary, "images").iterdir()))
        with progress_bar("Comparing") as on_progress:
            parity = export_engine(
                bundle,
                engine,
                paths,
                calibration=tuple(map(Path, find_inputs(calibrate).paths)) if calibrate else (),
                on_progress=on_progress,
            )
    print(f"{parity}.")
