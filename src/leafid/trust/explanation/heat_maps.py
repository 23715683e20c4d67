"""Which parts of a view speak for a taxon, and whether taking them away really changes the answer.

HiResCAM (Draelos & Carin 2020, arXiv:2011.08891), by captum's ``LayerGradientXActivation`` at the last convolution:
gradient times activation, place by place, of the taxon's logit less the mean of all taxa's. What raises all logits
alike tells no taxon from another, and with second-order pooling it would be nearly all of the heat, in the corners of
the paper (fresh leaves, 8 views: insertion less deletion -0.06 and now 0.33; heat by chance -0.04). Where one linear
layer follows the average over places, as in mobilenet_v2, resnet and efficientnet, heat summed over all places is
exactly that logit less its bias; Grad-CAM is then the same, and Grad-CAM++ is not. With second-order pooling the answer
is no such sum, and heat is the same only to first order.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Calibration
from leafid.sheets import CropKind, PreparedImage

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from leafid.learning import Network

STEPS = 16
"""Steps in which a view is taken away and given back."""

BLUR = 0.05
"""Spread of the blur that stands for a part that was taken away, as a share of the side; paper and colour stay."""

FAINTEST_LINE = 224
"""Lines of a vein map are darker; texture that was taken for a vein is paler."""

OWN_SIZE = (1.0,)
"""Where a network sees a view at several sizes, only its own is explained: one map of places, not several."""


@dataclass(frozen=True)
class HeatMap:
    """What speaks for a taxon in a view.

    Attributes:
        label: the taxon.
        heat: (S, S), float32, 0 or more, largest 1: what speaks for it; 0 everywhere where nothing does.
        inside: share of the heat that lies on the plant; None without a plant or without heat.
        deletion: mean score of the taxon while the hottest parts are blurred first; low is good.
        insertion: mean score while they are given back first; high is good.
    """

    label: int
    heat: NDArray[np.float32]
    inside: float | None
    deletion: float
    insertion: float


@dataclass(frozen=True)
class ExplainedView:
    """A view, its weight in the answer, the share of it that is plant, and heat maps of the taxa asked for."""

    pixels: NDArray[np.uint8]
    kind: CropKind
    weight: float
    plant: float
    maps: tuple[HeatMap, ...]


def explain(
    network: "Network", prepared: PreparedImage, labels: tuple[int, ...], calibration: Calibration
) -> tuple[ExplainedView, ...]:
    """Explain the answer for an image, view by view.

    Args:
        network: in eval mode.
        prepared: the image.
        labels: the taxa asked for, such as the first candidate and the runner-up.
        calibration: the bundle's.
    """
    return tuple(
        _explained(network, pixels, kind, weight, labels, calibration)
        for pixels, kind, weight in zip(
            prepared.views, prepared.kinds, weights_of_views(network, prepared), strict=True
        )
    )


def heat_of(network: "Network", pixels: NDArray[np.uint8], label: int) -> NDArray[np.float32]:
    """Return what speaks for a taxon rather than for the others in a view, place by place: (S, S), else negative.

    Args:
        network: in eval mode.
        pixels: (S, S, 3), uint8, RGB.
        label: the taxon.
    """
    import cv2

    coarse = coarse_heat(network, pixels, label)
    return np.asarray(cv2.resize(coarse, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def coarse_heat(network: "Network", pixels: NDArray[np.uint8], label: int) -> NDArray[np.float32]:
    """Return ``heat_of`` at the size (h, w) of the last convolution; its sum is the logit less bias and mean."""
    import torch
    from captum.attr import LayerGradientXActivation

    batch = _batch(pixels).to(network.mean.device)

    def rather_than_others(views: "Tensor") -> "Tensor":
        logits = network.logits_of_views(views, OWN_SIZE)
        return logits[:, label] - logits.mean(dim=1)

    with torch.enable_grad():
        each = LayerGradientXActivation(rather_than_others, _last_map(network, batch)).attribute(batch)  # (1, C, h, w)
    return np.asarray(each.detach().sum(dim=1)[0].float().cpu().numpy(), dtype=np.float32)


def faithfulness(
    network: "Network",
    pixels: NDArray[np.uint8],
    heat: NDArray[np.floating],
    label: int,
    calibration: Calibration,
) -> tuple[float, float]:
    """Return deletion and insertion: the mean score of the taxon while the hottest parts go, and while they come back.

    Petsiuk, Das & Saenko 2018, RISE, BMVC. Taken-away parts are blurred, not blackened, which would be a new shape.

    Args:
        network: in eval mode.
        pixels: (S, S, 3), uint8, RGB.
        heat: (S, S), hottest first.
        label: the taxon.
        calibration: the bundle's.
    """
    import cv2
    import torch

    blurred = cv2.GaussianBlur(pixels, (0, 0), BLUR * len(pixels))
    order = np.argsort(-heat.ravel(), kind="stable")
    ranks = np.argsort(order).reshape(heat.shape)
    stages = []
    for step in range(STEPS + 1):
        hot = (ranks < round(step / STEPS * ranks.size))[..., None]
        stages += [np.where(hot, blurred, pixels), np.where(hot, pixels, blurred)]
    with torch.inference_mode():
        batch = torch.cat([_batch(np.asarray(stage, dtype=np.uint8)) for stage in stages]).to(network.mean.device)
        logits = network.logits_of_views(batch)
        probabilities = torch.softmax(logits.float() / calibration.temperature, dim=1)[:, label].cpu().numpy()
    return float(probabilities[0::2].mean()), float(probabilities[1::2].mean())


def _explained(
    network: "Network",
    pixels: NDArray[np.uint8],
    kind: CropKind,
    weight: float,
    labels: tuple[int, ...],
    calibration: Calibration,
) -> ExplainedView:
    from leafid.sheets import plant_mask

    plant = _hull_of_lines(pixels) if kind is CropKind.VEINS else plant_mask(pixels)
    maps = []
    for label in labels:
        heat = np.maximum(heat_of(network, pixels, label), 0)
        total = float(heat.sum())
        deletion, insertion = faithfulness(network, pixels, heat, label, calibration)
        maps.append(
            HeatMap(
                label=label,
                heat=heat / heat.max() if total else heat,
                inside=float(heat[plant].sum()) / total if total and plant.any() else None,
                deletion=deletion,
                insertion=insertion,
            )
        )
    return ExplainedView(pixels, kind, weight, float(plant.mean()), tuple(maps))


def _hull_of_lines(drawn: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where the leaf is whose veins are drawn dark on white."""
    import cv2

    hull = np.zeros(drawn.shape[:2], np.uint8)
    lines = cv2.findNonZero((drawn[..., 0] < FAINTEST_LINE).astype(np.uint8))
    if lines is not None:
        cv2.fillConvexPoly(hull, cv2.convexHull(lines), (1,))
    return np.asarray(hull > 0)


def weights_of_views(network: "Network", prepared: PreparedImage) -> list[float]:
    """Return the weight of each view in the answer, in their order; they sum to 1."""
    import torch

    from leafid.learning import Bags

    with torch.inference_mode():
        answers = network(Bags.of([prepared.views], [prepared.kinds]).to(network.mean.device))
    flat = torch.cat([part.reshape(-1) for part in answers.weights]).tolist()
    # Bags put views of one size together, the smallest first.
    places = sorted(range(len(prepared.views)), key=lambda place: len(prepared.views[place]))
    weights = [0.0] * len(places)
    for place, weight in zip(places, flat, strict=True):
        weights[place] = float(weight)
    return weights


def _last_map(network: "Network", batch: "Tensor") -> "nn.Module":
    """The last block whose output still has places: (N, C, h, w) with h and w above 1."""
    import torch

    found: list[nn.Module] = []

    def keep(module: "nn.Module", _: object, output: object) -> None:
        if isinstance(output, torch.Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
            found.append(module)

    hooks = [block.register_forward_hook(keep) for block in network.blocks()]
    try:
        with torch.inference_mode():
            network.features(batch, OWN_SIZE)
    finally:
        for hook in hooks:
            hook.remove()
    return found[-1]


def _batch(pixels: NDArray[np.uint8]) -> "torch.Tensor":
    import torch

    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]
