"""The evaluation as one HTML file that needs nothing else: no script, no network, figures and thumbnails inside."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.errors import ImageError
from leafid.files import write_text
from leafid.html import page_template
from leafid.images import open_image
from leafid.statements import LIMITS, LIMITS_LONG
from leafid.taxonomy import Taxonomy
from leafid.trust.evaluation_results import Evaluation
from leafid.trust.metric_types import CurvePoint, ReliabilityBin

if TYPE_CHECKING:
    from matplotlib.figure import Figure

THUMBNAIL = (180, 180)
"""Largest width and height of thumbnails, in pixels."""

LEAF, ALARM, QUIET = "#2f6b45", "#9c3b1b", "#5c6a61"
"""Colours, the same as in the page."""

REASONS = {
    "too_small": "too small",
    "blurred": "blurred",
    "not_a_leaf": "no plant found",
    "unknown_taxon": "like nothing in training",
    "ambiguous": "no taxon certain enough",
}

COLUMNS = {
    "institutionCode": "Institution",
    "domain": "Domain",
    "decade": "Decade of collecting",
    "shorterSide": "Shorter side, pixels",
    "sharpness": "Sharpness (edges of the sharpest view, grey values)",
}

LEFT_WORDS = {
    "whole": "everything (the same images, no larger)",
    "plant": "the plant on plain paper",
    "border": "the border",
    "background": "all but the plant",
    "objects": "labels, rulers, stamps",
}


def write_report(
    path: Path,
    evaluation: Evaluation,
    *,
    truth: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    taxonomy: Taxonomy,
    files: Mapping[str, Path],
) -> None:
    """Write the page.

    Args:
        path: the HTML file.
        evaluation: the figures.
        truth: (N,) labels of the images that could be read.
        probabilities: (N, T), calibrated, of these.
        taxonomy: the bundle's.
        files: where the images lie, by the path of their row.
    """
    shown = {one for pair in evaluation.pairs for one in pair.paths}
    html = page_template("leafid.trust", "evaluation.html").render(
        evaluation=evaluation,
        pictures=_pictures(evaluation, truth, probabilities, taxonomy),
        thumbnails={one: thumbnail for one in sorted(shown) if (thumbnail := _thumbnail(files[one]))},
        reasons=REASONS,
        columns=COLUMNS,
        left=LEFT_WORDS,
        limits=LIMITS,
        limits_long=LIMITS_LONG,
    )
    write_text(path, html)


def _pictures(
    evaluation: Evaluation, truth: NDArray[np.int64], probabilities: NDArray[np.float64], taxonomy: Taxonomy
) -> dict[str, str]:
    """Draw what there is to draw, as data addresses."""
    pictures = {}
    if evaluation.read:
        pictures["reliability"] = _drawn(_reliability(evaluation.reliability))
        pictures["confusion"] = _drawn(_confusion(np.asarray(evaluation.confusion), taxonomy.names))
    if evaluation.learning_curve:
        pictures["curve"] = _drawn(_curve(evaluation.learning_curve))
    label = taxonomy.target_label
    if label is not None and evaluation.target is not None and evaluation.target.auroc is not None:
        pictures["target"] = _drawn(_target(truth == label, probabilities[:, label]))
    return pictures


def _reliability(bins: tuple[ReliabilityBin, ...]) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.6), layout="constrained")
    axes, below = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=":")
    there = [one for one in bins if one.mean_score is not None and one.right is not None]
    axes.plot([one.mean_score for one in there], [one.right for one in there], color=LEAF, marker="o", markersize=4)
    axes.set_ylabel("share of right answers")
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
    below.set_xlabel("score of the first candidate")
    below.set_xlim(0, 1)
    return figure


def _curve(points: tuple[CurvePoint, ...]) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.8), layout="constrained")
    axes = figure.subplots()
    sizes = [one.gatherings for one in points]
    axes.errorbar(
        sizes,
        [one.macro_f1 for one in points],
        yerr=[one.spread for one in points],
        color=LEAF,
        marker="o",
        markersize=4,
        capsize=3,
    )
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [f"{one.gatherings}\n({one.images})" for one in points])
    axes.minorticks_off()
    axes.set_xlabel("gatherings of each taxon to train on, at most (images in all)")
    axes.set_ylabel("macro-F1")
    axes.grid(axis="y", color="0.9")
    return figure


def _target(is_target: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> "Figure":
    from matplotlib.figure import Figure
    from sklearn.metrics import precision_recall_curve, roc_curve

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    false_alarms, found, _ = roc_curve(is_target, probabilities)
    left.plot(false_alarms, found, color=LEAF)
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


def _confusion(counts: NDArray[np.int64], names: tuple[str, ...]) -> "Figure":
    """Draw the confusion matrix with taxa that are taken for each other side by side."""
    from matplotlib.figure import Figure

    order = similarity_order(counts)
    counts = counts[np.ix_(order, order)]
    shares = counts / np.maximum(counts.sum(axis=1), 1)[:, None]
    side = max(4.0, 0.27 * len(names) + 0.075 * max(map(len, names)))
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Greens", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[row, column] > 0.6 else "black" if row == column else ALARM
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=7, color=colour)
    places, ordered = range(len(names)), [names[place] for place in order]
    axes.set_xticks(places, ordered, rotation=90, fontsize=7, style="italic")
    axes.set_yticks(places, ordered, fontsize=7, style="italic")
    axes.tick_params(length=0)
    axes.set_xlabel("most probable taxon")
    axes.set_ylabel("determination")
    return figure


def similarity_order(counts: NDArray[np.int64]) -> list[int]:
    """Return the labels (T,) in an order that puts taxa side by side which are taken for each other."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(counts) < 3:
        return list(range(len(counts)))
    shares = counts / np.maximum(counts.sum(axis=1), 1)[:, None]
    distance = 1 - np.clip((shares + shares.T) / 2, 0, 1)
    np.fill_diagonal(distance, 0)
    return [int(place) for place in leaves_list(linkage(squareform(distance, checks=False), "average"))]


def _drawn(figure: "Figure") -> str:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return _address(content.getvalue(), "png")


def _thumbnail(path: Path) -> str | None:
    """Return a small copy of an image as a data address; None when it can no longer be read."""
    try:
        rgb = open_image(path, needed_side=max(THUMBNAIL)).rgb
    except ImageError:
        return None
    rgb.thumbnail(THUMBNAIL, Image.Resampling.BOX)
    content = io.BytesIO()
    rgb.save(content, "JPEG", quality=72)
    return _address(content.getvalue(), "jpeg")


def _address(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
