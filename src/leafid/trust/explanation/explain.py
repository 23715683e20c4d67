"""Explain predictions as pictures: heat maps of ``leafid explain``, and heat overlays of the report."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.bundle import BundleInfo, read_bundle
from leafid.destinations import save_picture
from leafid.images import guard_image
from leafid.sheets import PreparedImage, prepare_file
from leafid.trust.calibration import calibrated_probabilities
from leafid.trust.explanation.heat_maps import ExplainedView, HeatMap, explain_image, heat_map, view_weights

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from leafid.learning import Network

VIEWS_SHOWN = 6
"""Maximum number of views in a picture, those with the highest weights."""

_HEAT_COLOUR = np.array([255, 60, 0])
_MAX_OPACITY = 0.75  # below 1, so that the leaf stays visible under the heat


@dataclass(frozen=True)
class Explanation:
    """An explained photo.

    Attributes:
        bundle: the bundle's identifier.
        candidates: names and probabilities of the explained taxa, first candidate first.
        views: the views, each with a heat map for each of these taxa.
        limits: statement of limits of the bundle.
    """

    bundle: str
    candidates: tuple[tuple[str, float], ...]
    views: tuple[ExplainedView, ...]
    limits: str


def explain_file(bundle_folder: Path, photo: Path, *, device: str = "auto") -> Explanation:
    """Explain the two most probable taxa of a photo.

    Raises:
        BundleError: the bundle is missing, damaged, foreign, or written by an older or newer leafid.
        ImageError: the photo cannot be read.
        UsageError: the device does not exist.
    """
    from leafid.learning import choose_device, load_network

    bundle = read_bundle(bundle_folder)
    chosen_device = choose_device(device)
    network = load_network(bundle).to(chosen_device)
    with guard_image(photo):
        return _explain(network, bundle.info, prepare_file(photo, bundle.info.preprocessing))


def _explain(network: "Network", info: BundleInfo, prepared: PreparedImage) -> Explanation:
    import torch

    from leafid.learning import Bags

    device = next(network.parameters()).device
    with torch.inference_mode():
        output = network(Bags.of([prepared.views], [prepared.kinds]).to(device))
    (probabilities,) = calibrated_probabilities(output.logits.float().cpu().numpy(), info.calibration)
    labels = tuple(int(label) for label in np.argsort(-probabilities, kind="stable")[:2])
    return Explanation(
        bundle=info.identifier,
        candidates=tuple((info.taxonomy.names[label], float(probabilities[label])) for label in labels),
        views=explain_image(network, prepared, labels, info.calibration),
        limits=info.trained_on.short,
    )


def draw_explanation(explanation: Explanation, path: Path, *, title: str) -> None:
    """Draw an explanation: one row for each view, with the view and a heat map for each taxon.

    Args:
        explanation: of a photo.
        path: a ``.png`` or ``.jpg`` file.
        title: shown above, such as the name of the photo.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    views = sorted(explanation.views, key=lambda view: -view.weight)[:VIEWS_SHOWN]
    columns = 1 + len(explanation.candidates)
    figure = Figure(figsize=(3.3 * columns, 3.6 * len(views) + 1.1), layout="constrained")
    grid = figure.subplots(len(views), columns, squeeze=False)
    for row, view in zip(grid, views, strict=True):
        _show_view(row[0], view, f"{view.kind.value}, weight {view.weight:.0%}")
        for axes, heat, (name, probability) in zip(row[1:], view.maps, explanation.candidates, strict=True):
            _show_view(axes, view, f"{name} {probability:.0%}\n{_caption(heat)}")
            # The square root keeps weaker heat visible.
            axes.imshow(heat.heat, cmap="inferno", alpha=0.55 * np.sqrt(heat.heat), vmin=0, vmax=1)
    left_out = len(explanation.views) - len(views)
    more = f" ({left_out} views with lower weights are not shown)" if left_out else ""
    figure.suptitle(f"{title}: {explanation.bundle}{more}", fontsize=9, wrap=True)
    figure.supxlabel(
        "Heat: evidence for a taxon relative to the other taxa. On the plant: fraction of the heat on the plant. "
        "Deletion, insertion: mean probability while the hottest parts are blurred first, or restored first.\n"
        f"{explanation.limits}",
        fontsize=6,
        color="0.4",
        wrap=True,
    )
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    save_picture(Image.open(content), path)


@dataclass(frozen=True)
class HeatOverlays:
    """Draws small heat overlays for many images: evidence for one taxon against a look-alike, and the reverse.

    An overlay shows the difference of two heat maps, in the view with the highest weight. The single heat maps of
    look-alikes are nearly the same: features that both taxa share are hot in both. Deletion and insertion are not
    computed, since they take most of the time.
    """

    network: "Network"
    info: BundleInfo

    @classmethod
    def of_bundle(cls, folder: Path, *, device: str = "auto") -> Self:
        """Load the network of a bundle.

        Raises:
            BundleError: the bundle is missing, damaged, foreign, or written by an older or newer leafid.
            UsageError: the device does not exist.
        """
        from leafid.learning import choose_device, load_network

        bundle = read_bundle(folder)
        return cls(load_network(bundle).to(choose_device(device)), bundle.info)

    def draw(self, photo: Path, names: tuple[str, str], *, longest: int) -> tuple[Image.Image, Image.Image]:
        """Draw the evidence for the first taxon against the second, and for the second against the first.

        Args:
            photo: the file.
            names: two taxa of the bundle.
            longest: longer side of the pictures in pixels.

        Raises:
            ImageError: the photo cannot be read.
        """
        with guard_image(photo):
            return self._draw(photo, names, longest)

    def _draw(self, photo: Path, names: tuple[str, str], longest: int) -> tuple[Image.Image, Image.Image]:
        prepared = prepare_file(photo, self.info.preprocessing)
        view = prepared.views[int(np.argmax(view_weights(self.network, prepared)))]
        first, second = (heat_map(self.network, view, self.info.taxonomy.names.index(name)) for name in names)
        difference = first - second
        largest = float(np.abs(difference).max()) or 1.0
        return _overlay(view, difference / largest, longest), _overlay(view, -difference / largest, longest)


def _show_view(axes: "Axes", view: ExplainedView, title: str) -> None:
    axes.imshow(view.pixels)
    axes.set_title(title, fontsize=7)
    axes.set_axis_off()


def _caption(heat: HeatMap) -> str:
    on_plant = "no plant found" if heat.on_plant is None else f"{heat.on_plant:.0%} on the plant"
    return f"{on_plant}; deletion {heat.deletion:.2f}, insertion {heat.insertion:.2f}"


def _overlay(view: NDArray[np.uint8], heat: NDArray[np.float32], longest: int) -> Image.Image:
    """Lay the positive part of heat (S, S), at most 1, over a view (S, S, 3)."""
    opacity = (_MAX_OPACITY * np.maximum(heat, 0))[..., None]
    picture = Image.fromarray((view * (1 - opacity) + _HEAT_COLOUR * opacity).astype(np.uint8))
    picture.thumbnail((longest, longest))
    return picture
