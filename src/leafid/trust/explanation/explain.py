"""``leafid explain``: what in a photo speaks for the first taxon and what for the runner-up, as one picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leafid.bundle import read_bundle
from leafid.files import written_atomically
from leafid.sheets import prepare_file
from leafid.statements import LIMITS
from leafid.trust.calibration import calibrated_probabilities
from leafid.trust.explanation.heat_maps import ExplainedView, HeatMap, explain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VIEWS_SHOWN = 6
"""Views that are drawn, those with most weight in the answer."""


@dataclass(frozen=True)
class Explanation:
    """An explained photo.

    Attributes:
        bundle: the bundle's identifier.
        candidates: names and scores of the taxa that are explained, first candidate first.
        views: the views, each with a heat map for each of these taxa.
    """

    bundle: str
    candidates: tuple[tuple[str, float], ...]
    views: tuple[ExplainedView, ...]


def explain_file(bundle_folder: Path, photo: Path, *, device: str = "auto") -> Explanation:
    """Explain the answer of a bundle for a photo.

    Raises:
        BundleError: it is missing, damaged, foreign, or written by a newer leafid.
        ImageError: the photo cannot be read.
        UsageError: there is no such device.
    """
    import torch

    from leafid.learning import Bags, choose_device, load_network

    bundle = read_bundle(bundle_folder)
    prepared = prepare_file(photo, bundle.info.preprocessing)
    where = choose_device(device)
    network = load_network(bundle).to(where)
    with torch.inference_mode():
        answers = network(Bags.of([prepared.views], [prepared.kinds]).to(where))
    (scores,) = calibrated_probabilities(answers.logits.float().cpu().numpy(), bundle.info.calibration)
    labels = tuple(int(label) for label in np.argsort(-scores, kind="stable")[:2])
    return Explanation(
        bundle=bundle.info.identifier,
        candidates=tuple((bundle.info.taxonomy.names[label], float(scores[label])) for label in labels),
        views=explain(network, prepared, labels, bundle.info.calibration),
    )


def draw_explanation(explanation: Explanation, path: Path, *, title: str) -> None:
    """Draw an explanation: one row for each view, the view itself and a heat map for each taxon.

    Args:
        explanation: of a photo.
        path: a ``.png`` or ``.jpg`` file.
        title: a line above, such as the photo's name.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    views = sorted(explanation.views, key=lambda view: -view.weight)[:VIEWS_SHOWN]
    columns = 1 + len(explanation.candidates)
    figure = Figure(figsize=(3.3 * columns, 3.6 * len(views) + 1.1), layout="constrained")
    grid = figure.subplots(len(views), columns, squeeze=False)
    for row, view in zip(grid, views, strict=True):
        _blank(row[0], view, f"{view.kind.value}, {view.weight:.0%} of the answer")
        for axes, heat, (name, score) in zip(row[1:], view.maps, explanation.candidates, strict=True):
            _blank(axes, view, f"{name} {score:.0%}\n{_figures(heat)}")
            axes.imshow(heat.heat, cmap="inferno", alpha=0.55 * np.sqrt(heat.heat), vmin=0, vmax=1)
    left_out = len(explanation.views) - len(views)
    more = f" ({left_out} views of less weight are not shown)" if left_out else ""
    figure.suptitle(f"{title}: {explanation.bundle}{more}", fontsize=9, wrap=True)
    figure.supxlabel(
        "Heat: what speaks for a taxon rather than for the others. On the plant: share of the heat that lies on it. "
        f"Deletion, insertion: mean score while the hottest parts are blurred first, or come back first.\n{LIMITS}",
        fontsize=6,
        color="0.4",
        wrap=True,
    )
    kind = "png" if path.suffix.lower() == ".png" else "jpg"
    with written_atomically(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=110)


def _blank(axes: "Axes", view: ExplainedView, title: str) -> None:
    axes.imshow(view.pixels)
    axes.set_title(title, fontsize=7)
    axes.set_axis_off()


def _figures(heat: HeatMap) -> str:
    inside = "no plant found" if heat.inside is None else f"{heat.inside:.0%} on the plant"
    return f"{inside}; deletion {heat.deletion:.2f}, insertion {heat.insertion:.2f}"
