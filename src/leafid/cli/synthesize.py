"""``leafid synthesize``: sheets of an invented herbarium, with their truth."""

from pathlib import Path
from typing import Annotated

import typer


def synthesize(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the drawings; made if missing.")],
    sheets: Annotated[int, typer.Option("--sheets", min=1, help="How many sheets.")] = 240,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed draws the same sheets.")] = 0,
) -> None:
    """Draw herbarium sheets whose truth is known: taxon, plant, leaves, veins, gathering."""
    from leafid.demo import draw_herbarium
    from leafid.progress import progress_bar

    with progress_bar("Drawing", unit="sheets") as on_progress:
        table = draw_herbarium(out, sheets=sheets, seed=seed, on_progress=on_progress)
    print(f"{sheets} drawn sheets: {table}")
