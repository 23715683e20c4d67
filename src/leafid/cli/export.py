"""``leafid export``: a compiled network in the bundle, for faster identification on CPUs."""

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """What the network is compiled for."""

    OPENVINO = "openvino"
    ONNX = "onnx"


def export(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The model folder, or the run that holds it.")],
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
) -> None:
    """Compile the network of a bundle for a faster engine; refused if it does not answer like torch.

    `leafid identify` then uses it on CPUs by itself, or with `--engine`.
    """
    from leafid.demo import draw_herbarium
    from leafid.identify import export_engine, find_inputs
    from leafid.installation import require_torch
    from leafid.progress import progress_bar

    require_torch()
    with tempfile.TemporaryDirectory(prefix="leafid-export-") as drawn:
        if images:
            found = find_inputs(images)
            for remark in found.remarks:
                print(remark)
            paths = found.paths
        else:
            with progress_bar("Drawing", unit="sheets") as on_progress:
                draw_herbarium(Path(drawn), sheets=sheets, on_progress=on_progress)
            paths = tuple(sorted(Path(drawn, "images").iterdir()))
        with progress_bar("Comparing") as on_progress:
            parity = export_engine(bundle, to.value, paths, on_progress=on_progress)
    print(f"{parity}.")
