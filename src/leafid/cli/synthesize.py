"""``leafid synthesize``: draws synthetic herbarium sheets with ground truth."""

from pathlib import Path
from typing import Annotated

import typer


def synthesize(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Output folder; created if missing.")],
    sheets: Annotated[int, typer.Option("--sheets", min=1, help="Number of sheets.")] = 240,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same sheets.")] = 0,
) -> None:
    """Draw herbarium sheets with ground truth.

    The ground truth is taxon, plant, leaves, veins and gathering of each sheet.
    """
    from leafid.demo import draw_herbarium
    from leafid.progress import progress_bar

    with progress_bar("Drawing", unit="sheets") as on_progress:
        table = draw_herbarium(out, sheets=sheets, seed=seed, on_progress=on_progress)
    print(f"{sheets} drawn sheets: {table}")
