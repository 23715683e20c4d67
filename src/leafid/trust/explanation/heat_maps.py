"""Heat maps of the evidence for a taxon in a view (HiResCAM), and their faithfulness (deletion and insertion).

HiResCAM (Draelos & Carin 2020, arXiv:2011.08891), by captum's ``LayerGradientXActivation`` at the last convolution:
element-wise product of activation and gradient, summed over channels. The gradient is that of the taxon's logit minus
the mean logit of all taxa. Features that raise all logits alike do not distinguish taxa; with covariance pooling they
would make up nearly all of the heat, in the corners of the paper (see docs/results.md).

In mobilenet_v2, resnet and efficientnet one linear layer follows the global average pooling: the sum of the heat is
then exactly that difference of logits without bias, and Grad-CAM gives the same map. With covariance pooling the
logit is not such a sum, and the heat is a first-order approximation.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Calibration
from leafid.errors import UsageError
from leafid.sheets import CropKind, PreparedImage

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from leafid.learning import Network

STEPS = 16
"""Steps in which a view is blurred (deletion) or restored (insertion)."""

BLUR = 0.05
"""Standard deviation of the Gaussian blur that replaces a deleted part, as a fraction of the side."""

MAX_LINE_GREY = 224
"""Lines of a vein map are darker than this grey value; texture mistaken for veins is paler."""

NATIVE_SCALE = (1.0,)
"""A network with several scales is explained at the native size of the view alone, so that there is one heat map."""


@dataclass(frozen=True)
class HeatMap:
    """Heat map of a taxon in a view.

    Attributes:
        label: the taxon.
        heat: (S, S), float32, 0 to 1, the maximum is 1; all 0 if no part of the view is evidence for the taxon.
        on_plant: fraction of the heat on the plant; None without a plant or without heat.
        deletion: mean probability of the taxon while the hottest parts are blurred first; low is good.
        insertion: mean probability while the hottest parts are restored first; high is good.
    """

    label: int
    heat: NDArray[np.float32]
    on_plant: float | None
    deletion: float
    insertion: float


@dataclass(frozen=True)
class ExplainedView:
    """A view, its weight in the prediction, its fraction of plant, and a heat map for each explained taxon."""

    pixels: NDArray[np.uint8]
    kind: CropKind
    weight: float
    plant_fraction: float
    maps: tuple[HeatMap, ...]


def explain_image(
    network: "Network", prepared: PreparedImage, labels: tuple[int, ...], calibration: Calibration
) -> tuple[ExplainedView, ...]:
    """Explain the prediction for an image, view by view.

    Args:
        network: in eval mode.
        prepared: the image.
        labels: the taxa to explain, such as the first candidate and the runner-up.
        calibration: the bundle's.

    Raises:
        UsageError: the network is not convolutional.
    """
    return tuple(
        _explain_view(network, pixels, kind, weight, labels, calibration)
        for pixels, kind, weight in zip(prepared.views, prepared.kinds, view_weights(network, prepared), strict=True)
    )


def heat_map(network: "Network", pixels: NDArray[np.uint8], label: int) -> NDArray[np.float32]:
    """Return the evidence for a taxon against the other taxa in a view: (S, S), negative for evidence against it.

    Args:
        network: in eval mode.
        pixels: (S, S, 3), uint8, RGB.
        label: the taxon.
    """
    import cv2

    coarse = hires_cam(network, pixels, label)
    return np.asarray(cv2.resize(coarse, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def hires_cam(network: "Network", pixels: NDArray[np.uint8], label: int) -> NDArray[np.float32]:
    """Return the HiResCAM map of a taxon at the resolution (h, w) of the last convolution; see the module's text."""
    import torch
    from captum.attr import LayerGradientXActivation

    batch = _batch(pixels).to(network.mean.device)

    def logit_above_mean(views: "Tensor") -> "Tensor":
        logits = network.logits_of_views(views, NATIVE_SCALE)
        return logits[:, label] - logits.mean(dim=1)

    with torch.enable_grad():
        method = LayerGradientXActivation(logit_above_mean, _last_spatial_block(network, batch))
        attributions = method.attribute(batch)  # (1, C, h, w)
    return np.asarray(attributions.detach().sum(dim=1)[0].float().cpu().numpy(), dtype=np.float32)


def deletion_insertion(
    network: "Network",
    pixels: NDArray[np.uint8],
    heat: NDArray[np.floating],
    label: int,
    calibration: Calibration,
) -> tuple[float, float]:
    """Return deletion and insertion: mean probability while the hottest parts are blurred first, and restored first.

    Petsiuk, Das & Saenko 2018, RISE, BMVC. Deleted parts are blurred, not blackened: a black part has a shape of its
    own.

    Args:
        network: in eval mode.
        pixels: (S, S, 3), uint8, RGB.
        heat: (S, S); only its order counts.
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


def _explain_view(
    network: "Network",
    pixels: NDArray[np.uint8],
    kind: CropKind,
    weight: float,
    labels: tuple[int, ...],
    calibration: Calibration,
) -> ExplainedView:
    from leafid.sheets import plant_mask

    plant = _leaf_of_vein_map(pixels) if kind is CropKind.VEINS else plant_mask(pixels)
    maps = []
    for label in labels:
        heat = np.maximum(heat_map(network, pixels, label), 0)
        total = float(heat.sum())
        deletion, insertion = deletion_insertion(network, pixels, heat, label, calibration)
        maps.append(
            HeatMap(
                label=label,
                heat=heat / heat.max() if total else heat,
                on_plant=float(heat[plant].sum()) / total if total and plant.any() else None,
                deletion=deletion,
                insertion=insertion,
            )
        )
    return ExplainedView(pixels, kind, weight, float(plant.mean()), tuple(maps))


def _leaf_of_vein_map(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the mask (S, S) of the leaf in a vein map: the convex hull of its dark lines."""
    import cv2

    hull = np.zeros(pixels.shape[:2], np.uint8)
    lines = cv2.findNonZero((pixels[..., 0] < MAX_LINE_GREY).astype(np.uint8))
    if lines is not None:
        cv2.fillConvexPoly(hull, cv2.convexHull(lines), (1,))
    return np.asarray(hull > 0)


def view_weights(network: "Network", prepared: PreparedImage) -> list[float]:
    """Return the weight of each view in the prediction, in their order; the weights sum to 1."""
    import torch

    from leafid.learning import Bags

    with torch.inference_mode():
        output = network(Bags.of([prepared.views], [prepared.kinds]).to(network.mean.device))
    flat = torch.cat([part.reshape(-1) for part in output.weights]).tolist()
    # Bags group views by size, the smallest first: put the weights back into the order of the views.
    order = sorted(range(len(prepared.views)), key=lambda index: len(prepared.views[index]))
    weights = [0.0] * len(order)
    for index, weight in zip(order, flat, strict=True):
        weights[index] = float(weight)
    return weights


def _last_spatial_block(network: "Network", batch: "Tensor") -> "nn.Module":
    """Return the last block with a spatial output: (N, C, h, w) with h and w above 1.

    Raises:
        UsageError: there is none.
    """
    import torch

    spatial: list[nn.Module] = []

    def keep(module: "nn.Module", _: object, output: object) -> None:
        # Views are square, so their maps are; transformers have none, or have the features last.
        if isinstance(output, torch.Tensor) and output.ndim == 4 and output.shape[2] == output.shape[3] > 1:
            spatial.append(module)

    hooks = [block.register_forward_hook(keep) for block in network.blocks()]
    try:
        with torch.inference_mode():
            network.features(batch, NATIVE_SCALE)
    finally:
        for hook in hooks:
            hook.remove()
    if not spatial:
        raise UsageError(f"Heat maps need a convolutional network, and {network.spec.backbone} is a transformer.")
    return spatial[-1]


def _batch(pixels: NDArray[np.uint8]) -> "torch.Tensor":
    """Return a view (S, S, 3) as a batch (1, 3, S, S)."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]
