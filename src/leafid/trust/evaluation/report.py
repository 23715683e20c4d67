"""The evaluation as one self-contained HTML file: figures and thumbnails are embedded, no script, no network."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.errors import ImageError
from leafid.files import write_text
from leafid.html import page_template
from leafid.images import guard_image, open_image
from leafid.statements import DOMAINS
from leafid.taxonomy import Taxonomy
from leafid.trust.evaluation.plots import (
    plot_clustered_confusion,
    plot_learning_curve,
    plot_reliability,
    plot_roc_and_precision_recall,
)
from leafid.trust.evaluation_schema import Evaluation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

THUMBNAIL = (180, 180)
"""Largest width and height of thumbnails, in pixels."""

REASON_LABELS = {
    "too_small": "too small",
    "too_dark": "too dark",
    "blurred": "blurred",
    "not_a_leaf": "no leaf found",
    "several_plants": "leaves of several plants",
    "cut_off": "leaf cut off by the frame",
    "unknown_taxon": "unlike all training images",
    "ambiguous": "no taxon probable enough",
}

COLUMN_LABELS = {
    "institutionCode": "Institution",
    "domain": "Kind of image",
    "decade": "Decade of collecting",
    "shorterSide": "Shorter side, pixels",
    "sharpness": "Sharpness of the sharpest view, grey values",
}

PART_LABELS = {
    "whole": "the whole image, at the same size",
    "plant": "the plant on plain paper",
    "border": "the border",
    "background": "everything but the plant",
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
    limits: Sequence[str],
) -> None:
    """Write the page.

    Args:
        path: the HTML file.
        evaluation: the results.
        truth: (N,) labels of the images that could be read.
        probabilities: (N, T), calibrated, of these images.
        taxonomy: the bundle's.
        files: the image files, by the path in the split or catalog.
        limits: statements of limits, in full.
    """
    shown = sorted({image for pair in evaluation.pairs for image in pair.paths})
    html = page_template("leafid.trust", "evaluation.html").render(
        evaluation=evaluation,
        pictures=_pictures(evaluation, truth, probabilities, taxonomy),
        thumbnails={image: thumbnail for image in shown if (thumbnail := _thumbnail(files[image]))},
        reasons=REASON_LABELS,
        columns=COLUMN_LABELS,
        domains=DOMAINS,
        parts=PART_LABELS,
        limits=limits,
    )
    write_text(path, html)


def _pictures(
    evaluation: Evaluation, truth: NDArray[np.int64], probabilities: NDArray[np.float64], taxonomy: Taxonomy
) -> dict[str, str]:
    """Return the figures as data URLs; a figure without data is left out."""
    pictures = {}
    if evaluation.read:
        pictures["reliability"] = _png_url(plot_reliability(evaluation.reliability))
        pictures["confusion"] = _png_url(plot_clustered_confusion(np.asarray(evaluation.confusion), taxonomy.names))
    if evaluation.learning_curve:
        pictures["curve"] = _png_url(plot_learning_curve(evaluation.learning_curve))
    label = taxonomy.target_label
    if label is not None and evaluation.target is not None and evaluation.target.auroc is not None:
        pictures["target"] = _png_url(plot_roc_and_precision_recall(truth == label, probabilities[:, label]))
    return pictures


def _png_url(figure: "Figure") -> str:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return _data_url(content.getvalue(), "png")


def _thumbnail(path: Path) -> str | None:
    """Return a thumbnail of an image as a data URL; None when it can no longer be read."""
    try:
        with guard_image(path):
            rgb = open_image(path, needed_side=max(THUMBNAIL)).rgb
            rgb.thumbnail(THUMBNAIL, Image.Resampling.BOX)
    except ImageError:
        return None
    content = io.BytesIO()
    rgb.save(content, "JPEG", quality=72)
    return _data_url(content.getvalue(), "jpeg")


def _data_url(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
