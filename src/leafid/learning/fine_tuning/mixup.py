"""Mixing the images of a step, so that the network is not surer of what lies between taxa than of the taxa themselves.

Mixup: Zhang et al. 2018, "mixup: beyond empirical risk minimization", ICLR. CutMix: Yun et al. 2019, "CutMix:
regularization strategy to train strong classifiers with localizable features", ICCV. An image is a bag of views here:
each view is mixed with a view of the partner that has its size and shows the same kind of thing, all of them alike.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from leafid.jobs import Mix
from leafid.learning.data.bags import Bags

CONCENTRATION = 0.4
"""Both parameters of the beta distribution of mixup's shares; the paper has 0.1 to 0.4 for photos. CutMix draws its
shares evenly, as its paper does."""

GRID = 32
"""CutMix cuts along a grid of this many lines, so that views of all sizes lose the same share."""


@dataclass(frozen=True)
class MixedBatch:
    """Mixed images.

    Attributes:
        bags: the images.
        partners: (N,), int64: the image that each was mixed with; itself, where it was left as it is.
        shares: (N,): how much of each is its own, 0..1; 1 where it was left as it is.

    Both are None where nothing was to be mixed.
    """

    bags: Bags
    partners: Tensor | None = None
    shares: Tensor | None = None


def mix_batch(bags: Bags, how: Mix) -> MixedBatch:
    """Mix each image with another one; all that is random is drawn from torch's global generator on the CPU.

    Everyone stands in a circle, in random order, and is mixed with the next, in the same proportion. An image that has
    a view without counterpart in its partner is left as it is.
    """
    if how == "none":
        return MixedBatch(bags)
    circle = torch.randperm(bags.images)
    partners = torch.empty_like(circle).index_copy(0, circle, circle.roll(1))
    counterparts = [
        _counterparts(owners.tolist(), kinds.tolist(), partners.tolist())
        for owners, kinds in zip(bags.owners, bags.kinds, strict=True)
    ]
    alone = {owner for group in counterparts for owner, other in group if other is None}
    cut = how == "cutmix" or (how == "both" and bool(torch.rand(()) < 0.5))
    box = _box()
    share = 1 - _area(box) if cut else float(torch.distributions.Beta(CONCENTRATION, CONCENTRATION).sample())
    pixels = []
    for views, group in zip(bags.pixels, counterparts, strict=True):
        mine = [number for number, (owner, _) in enumerate(group) if owner not in alone]
        theirs = [other for owner, other in group if owner not in alone and other is not None]
        changed = views.clone()
        if cut:
            changed[mine] = _pasted(views[mine], views[theirs], box)
        else:
            changed[mine] = _blended(views[mine], views[theirs], share)
        pixels.append(changed)
    left = torch.tensor([owner in alone for owner in range(bags.images)])
    partners, shares = torch.where(left, torch.arange(bags.images), partners), torch.where(left, 1.0, share)
    device = bags.pixels[0].device
    return MixedBatch(replace(bags, pixels=tuple(pixels)), partners.to(device), shares.to(device))


def _counterparts(owners: list[int], kinds: list[int], partners: list[int]) -> list[tuple[int, int | None]]:
    """Return for each view of a size its image, and the view of the partner with which it is mixed, or None.

    The first view of a kind goes with the partner's first of that kind, and so on, in turn where there are fewer.
    """
    by_kind: dict[tuple[int, int], list[int]] = {}
    turns = []
    for number, key in enumerate(zip(owners, kinds, strict=True)):
        turns.append(len(by_kind.setdefault(key, [])))
        by_kind[key].append(number)
    found: list[tuple[int, int | None]] = []
    for owner, kind, turn in zip(owners, kinds, turns, strict=True):
        theirs = by_kind.get((partners[owner], kind), [])
        found.append((owner, theirs[turn % len(theirs)] if theirs else None))
    return found


def _box() -> tuple[int, int, int, int]:
    """Draw top, bottom, left and right of a box on the grid, its area even between nothing and all."""
    side = max(1, round(GRID * float(torch.rand(())) ** 0.5))
    top, left = (int(torch.randint(GRID - side + 1, ())) for _ in range(2))
    return top, top + side, left, left + side


def _area(box: tuple[int, int, int, int]) -> float:
    top, bottom, left, right = box
    return (bottom - top) * (right - left) / GRID**2


def _pasted(mine: Tensor, theirs: Tensor, box: tuple[int, int, int, int]) -> Tensor:
    """Put a box of their pixels (V, 3, S, S) into mine."""
    top, bottom, left, right = (round(line * mine.shape[-1] / GRID) for line in box)
    result = mine.clone()
    result[..., top:bottom, left:right] = theirs[..., top:bottom, left:right]
    return result


def _blended(mine: Tensor, theirs: Tensor, share: float) -> Tensor:
    """Lay pixels over each other, uint8 as before."""
    return torch.lerp(theirs.float(), mine.float(), share).round().to(torch.uint8)
