"""The confusion matrix, drawn."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from leafid.files import written_atomically
from leafid.statements import LIMITS


def draw_confusion(confusion: Sequence[Sequence[int]], names: Sequence[str], title: str, path: Path) -> None:
    """Draw a confusion matrix as a PNG: counts as numbers, shares of the row as colour.

    Args:
        confusion: (T, T) counts; rows are true taxa, columns predicted ones.
        names: the taxa in label order.
        title: a line above.
        path: the PNG.
    """
    from matplotlib.figure import Figure

    counts = np.asarray(confusion)
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals, 1)[:, None]
    side = 0.36 * len(names) + 1.2
    margin = 0.085 * max(map(len, names))  # inches that a name takes
    figure = Figure(figsize=(side + margin, side + margin), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Greens", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[row, column] > 0.6 else "black" if row == column else "darkred"
        axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=8, color=colour)
    places = range(len(names))
    axes.set_xticks(places, names, rotation=90, fontsize=8, style="italic")
    axes.set_yticks(
        places, [f"{name} ({total:,})" for name, total in zip(names, totals, strict=True)], fontsize=8, style="italic"
    )
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.9", linewidth=0.5)
    axes.tick_params(which="both", length=0)
    axes.set_xlabel("most probable taxon")
    axes.set_ylabel("determination (images)")
    figure.suptitle(title, fontsize=9, wrap=True)
    figure.supxlabel(LIMITS, fontsize=6, color="0.4", wrap=True)
    with written_atomically(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)
