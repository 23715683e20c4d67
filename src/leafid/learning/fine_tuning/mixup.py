"""Mixup and CutMix for bags of views: mix the images of a step in pairs, so that the network is less overconfident.

Mixup: Zhang et al. 2018, "mixup: beyond empirical risk minimization", ICLR. CutMix: Yun et al. 2019, "CutMix:
regularization strategy to train strong classifiers with localizable features", ICCV. An image is a bag of views here:
each view is mixed with a view of the partner of the same size and kind, all in the same proportion.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from leafid.jobs import Mix
from leafid.learning.data.bags import Bags

MIXUP_ALPHA = 0.4
"""Both parameters of the beta distribution of mixup's shares; the paper uses 0.1 to 0.4 for ImageNet. The shares of
CutMix are uniform, as in its paper."""

GRID = 32
"""CutMix cuts along a grid of this many cells each way, so that views of all sizes are cut in the same proportion."""


@dataclass(frozen=True)
class MixedBatch:
    """A batch of mixed images.

    Attributes:
        bags: the images.
        partners: (N,), int64: the image that each was mixed with; its own index where it was not mixed.
        shares: (N,), 0..1: the share of each image that is its own; 1 where it was not mixed.

    Partners and shares are None where mixing is off.
    """

    bags: Bags
    partners: Tensor | None = None
    shares: Tensor | None = None


def mix_batch(bags: Bags, how: Mix) -> MixedBatch:
    """Mix each image with another one of the batch; random numbers come from torch's global generator on the CPU.

    The partners are a random cyclic permutation, so no image is its own partner. All images are mixed in the same
    proportion. An image is not mixed if one of its views has no counterpart in its partner.
    """
    if how == "none":
        return MixedBatch(bags)
    cycle = torch.randperm(bags.images)
    partners = torch.empty_like(cycle).index_copy(0, cycle, cycle.roll(1))
    counterparts = [
        _counterparts(images.tolist(), kinds.tolist(), partners.tolist())
        for images, kinds in zip(bags.image_index, bags.kinds, strict=True)
    ]
    unmixed = {image for group in counterparts for image, other in group if other is None}
    share, box = draw_share(how)
    pixels = []
    for views, group in zip(bags.pixels, counterparts, strict=True):
        own = [index for index, (image, _) in enumerate(group) if image not in unmixed]
        other = [index for image, index in group if image not in unmixed and index is not None]
        mixed = views.clone()
        if box:
            mixed[own] = _pasted(views[own], views[other], box)
        else:
            mixed[own] = _blended(views[own], views[other], share)
        pixels.append(mixed)
    is_unmixed = torch.tensor([image in unmixed for image in range(bags.images)])
    partners = torch.where(is_unmixed, torch.arange(bags.images), partners)
    shares = torch.where(is_unmixed, 1.0, share)
    device = bags.pixels[0].device
    return MixedBatch(replace(bags, pixels=tuple(pixels)), partners.to(device), shares.to(device))


def draw_share(how: Mix) -> tuple[float, tuple[int, int, int, int] | None]:
    """Draw the share of a mixed image that is its own, and CutMix's box on the grid (None: mixup)."""
    if how == "cutmix" or (how == "both" and bool(torch.rand(()) < 0.5)):
        box = _box()
        return 1 - _area(box), box
    return float(torch.distributions.Beta(MIXUP_ALPHA, MIXUP_ALPHA).sample()), None


def _counterparts(images: list[int], kinds: list[int], partners: list[int]) -> list[tuple[int, int | None]]:
    """Return for each view of a size its image, and the index of the partner's view to mix it with, or None.

    The first view of a kind is mixed with the partner's first view of that kind, and so on; the partner's views are
    repeated if they are fewer.
    """
    by_kind: dict[tuple[int, int], list[int]] = {}
    positions = []  # of each view among those of its image and kind
    for index, key in enumerate(zip(images, kinds, strict=True)):
        positions.append(len(by_kind.setdefault(key, [])))
        by_kind[key].append(index)
    found: list[tuple[int, int | None]] = []
    for image, kind, position in zip(images, kinds, positions, strict=True):
        candidates = by_kind.get((partners[image], kind), [])
        found.append((image, candidates[position % len(candidates)] if candidates else None))
    return found


def _box() -> tuple[int, int, int, int]:
    """Draw top, bottom, left and right of a box on the grid; its area is uniform between 0 and 1."""
    # The square root makes the area uniform instead of the side.
    side = max(1, round(GRID * float(torch.rand(())) ** 0.5))
    top, left = (int(torch.randint(GRID - side + 1, ())) for _ in range(2))
    return top, top + side, left, left + side


def _area(box: tuple[int, int, int, int]) -> float:
    top, bottom, left, right = box
    return (bottom - top) * (right - left) / GRID**2


def _pasted(own: Tensor, other: Tensor, box: tuple[int, int, int, int]) -> Tensor:
    """Paste a box of the other pixels (V, 3, S, S) into the own ones."""
    top, bottom, left, right = (round(line * own.shape[-1] / GRID) for line in box)
    result = own.clone()
    result[..., top:bottom, left:right] = other[..., top:bottom, left:right]
    return result


def _blended(own: Tensor, other: Tensor, share: float) -> Tensor:
    """Blend pixels (V, 3, S, S), uint8, with this share of the own ones."""
    return torch.lerp(other.float(), own.float(), share).round().to(torch.uint8)
