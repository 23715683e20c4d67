"""``leafid synthesize``: draws synthetic herbarium sheets, or photographs of fresh leaves, with ground truth."""

from pathlib import Path
from typing import Annotated

import typer


def synthesize(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Output folder; created if missing.")],
    sheets: Annotated[int, typer.Option("--sheets", min=1, help="Number of sheets or photographs.")] = 240,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same pictures.")] = 0,
    photographs: Annotated[
        bool, typer.Option("--photographs", help="Draw photographs of fresh leaves instead of herbarium sheets.")
    ] = False,
    long_side: Annotated[
        int | None,
        typer.Option("--long-side", help="Long side of photographs in pixels, 150 to 4000; by default mixed."),
    ] = None,
) -> None:
    """Draw herbarium sheets or photographs of fresh leaves with ground truth.

    The ground truth is taxon, plant, leaves, veins and gathering of each sheet; masks and veins of each photograph.
    """
    from leafid.demo import draw_album, draw_herbarium
    from leafid.errors import UsageError
    from leafid.progress import progress_bar

    if long_side is not None and not photographs:
        raise UsageError("--long-side is for photographs: add --photographs, or leave it out for herbarium sheets.")
    with progress_bar("Drawing", unit="photographs" if photographs else "sheets") as on_progress:
        if photographs:
            table = draw_album(out, photographs=sheets, seed=seed, long_side=long_side, on_progress=on_progress)
        else:
            table = draw_herbarium(out, sheets=sheets, seed=seed, on_progress=on_progress)
    print(f"{sheets} drawn {'photographs' if photographs else 'sheets'}: {table}")
