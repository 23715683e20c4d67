"""Figures of an evaluation: confusion matrix, reliability diagram, learning curve, ROC and precision-recall curve."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.files import written_atomically
from leafid.trust.metric_schemas import LearningCurvePoint, ReliabilityBin

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAF, ALARM, QUIET = "#2f6b45", "#9c3b1b", "#5c6a61"
"""Colours, the same as in the page."""


def write_confusion_matrix(
    confusion: Sequence[Sequence[int]], names: Sequence[str], title: str, limits: str, path: Path
) -> None:
    """Write a confusion matrix as a PNG: counts as numbers, row-normalised counts as colour.

    Args:
        confusion: (T, T) counts; rows are true taxa, columns predicted ones.
        names: the taxa in label order.
        title: shown above the matrix.
        limits: statement of limits, shown below it.
        path: the PNG.
    """
    from matplotlib.figure import Figure

    counts = np.asarray(confusion)
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals, 1)[:, None]
    side = 0.36 * len(names) + 1.2
    margin = 0.085 * max(map(len, names))  # width of the longest name in inches
    figure = Figure(figsize=(side + margin, side + margin), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Greens", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[row, column] > 0.6 else "black" if row == column else "darkred"
        axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=8, color=colour)
    ticks = range(len(names))
    axes.set_xticks(ticks, names, rotation=90, fontsize=8, style="italic")
    axes.set_yticks(
        ticks, [f"{name} ({total:,})" for name, total in zip(names, totals, strict=True)], fontsize=8, style="italic"
    )
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.9", linewidth=0.5)
    axes.tick_params(which="both", length=0)
    axes.set_xlabel("most probable taxon")
    axes.set_ylabel("determination (images)")
    figure.suptitle(title, fontsize=9, wrap=True)
    figure.supxlabel(limits, fontsize=6, color="0.4", wrap=True)
    with written_atomically(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)


def plot_clustered_confusion(counts: NDArray[np.int64], names: tuple[str, ...]) -> "Figure":
    """Draw the confusion matrix (T, T) with taxa that are often confused next to each other."""
    from matplotlib.figure import Figure

    order = confusion_order(counts)
    counts = counts[np.ix_(order, order)]
    shares = counts / np.maximum(counts.sum(axis=1), 1)[:, None]
    side = max(4.0, 0.27 * len(names) + 0.075 * max(map(len, names)))
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Greens", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[row, column] > 0.6 else "black" if row == column else ALARM
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=7, color=colour)
    ticks, ordered = range(len(names)), [names[label] for label in order]
    axes.set_xticks(ticks, ordered, rotation=90, fontsize=7, style="italic")
    axes.set_yticks(ticks, ordered, fontsize=7, style="italic")
    axes.tick_params(length=0)
    axes.set_xlabel("most probable taxon")
    axes.set_ylabel("determination")
    return figure


def confusion_order(counts: NDArray[np.int64]) -> list[int]:
    """Return the labels (T,) ordered by average-linkage clustering, so that confused taxa are neighbours."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(counts) < 3:
        return list(range(len(counts)))
    shares = counts / np.maximum(counts.sum(axis=1), 1)[:, None]
    distance = 1 - np.clip((shares + shares.T) / 2, 0, 1)
    np.fill_diagonal(distance, 0)
    return [int(label) for label in leaves_list(linkage(squareform(distance, checks=False), "average"))]


def plot_reliability(bins: tuple[ReliabilityBin, ...]) -> "Figure":
    """Draw a reliability diagram, with the number of images in each bin below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.6), layout="constrained")
    axes, below = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=":")
    filled = [one for one in bins if one.mean_confidence is not None and one.accuracy is not None]
    axes.plot(
        [one.mean_confidence for one in filled],
        [one.accuracy for one in filled],
        color=LEAF,
        marker="o",
        markersize=4,
    )
    axes.set_ylabel("accuracy")
    axes.set_ylim(-0.02, 1.02)
    below.bar(
        [one.low for one in bins],
        [one.images for one in bins],
        width=1 / len(bins),
        align="edge",
        color=LEAF,
        alpha=0.5,
    )
    below.set_ylabel("images")
    below.set_xlabel("probability of the first candidate")
    below.set_xlim(0, 1)
    return figure


def plot_learning_curve(points: tuple[LearningCurvePoint, ...]) -> "Figure":
    """Draw macro-F1 against the number of training gatherings; bars are standard deviations over draws."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.8), layout="constrained")
    axes = figure.subplots()
    sizes = [point.gatherings for point in points]
    axes.errorbar(
        sizes,
        [point.macro_f1 for point in points],
        yerr=[point.macro_f1_std for point in points],
        color=LEAF,
        marker="o",
        markersize=4,
        capsize=3,
    )
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [f"{point.gatherings}\n({point.images})" for point in points])
    axes.minorticks_off()
    axes.set_xlabel("training gatherings of each taxon, at most (training images in total)")
    axes.set_ylabel("macro-F1")
    axes.grid(axis="y", color="0.9")
    return figure


def plot_roc_and_precision_recall(is_target: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> "Figure":
    """Draw the ROC curve and the precision-recall curve of the target; both arrays are (N,)."""
    from matplotlib.figure import Figure
    from sklearn.metrics import precision_recall_curve, roc_curve

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    false_positive_rate, sensitivity, _ = roc_curve(is_target, probabilities)
    left.plot(false_positive_rate, sensitivity, color=LEAF)
    left.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=":")
    for specificity in (0.95, 0.99):
        left.axvline(1 - specificity, color=ALARM, linewidth=0.7)
    left.set_xlabel("1 - specificity (lines: 99 %, 95 %)")
    left.set_ylabel("sensitivity")
    precision, recall, _ = precision_recall_curve(is_target, probabilities)
    right.plot(recall, precision, color=LEAF)
    right.axhline(is_target.mean(), color=QUIET, linewidth=1, linestyle=":")
    right.set_xlabel("recall")
    right.set_ylabel("precision")
    right.set_ylim(0, 1.02)
    return figure
