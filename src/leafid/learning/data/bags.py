"""Bags: the views of several images in the form that the network takes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leafid.sheets import CropKind

KINDS = tuple(CropKind)


@dataclass
class Bags:
    """The views of N images. Views of one size lie together, whatever image they belong to.

    Attributes:
        pixels: for each size (V, 3, S, S), uint8 RGB.
        owners: for each size (V,), int64: the image that the view belongs to, 0..N-1.
        kinds: for each size (V,), int64: what the view shows, an index into ``KINDS``.
        images: N.
    """

    pixels: tuple[Tensor, ...]
    owners: tuple[Tensor, ...]
    kinds: tuple[Tensor, ...]
    images: int

    @classmethod
    def of(cls, views: Sequence[Sequence[NDArray[np.uint8]]], kinds: Sequence[Sequence[CropKind]]) -> "Bags":
        """Put the views (S, S, 3) of images together, given what each shows."""
        by_size: dict[int, list[tuple[NDArray[np.uint8], int, int]]] = {}
        for owner, (its_views, its_kinds) in enumerate(zip(views, kinds, strict=True)):
            for view, kind in zip(its_views, its_kinds, strict=True):
                by_size.setdefault(len(view), []).append((view, owner, KINDS.index(kind)))
        groups = [by_size[size] for size in sorted(by_size)]
        return cls(
            pixels=tuple(_stacked([view for view, _, _ in group]) for group in groups),
            owners=tuple(torch.tensor([owner for _, owner, _ in group]) for group in groups),
            kinds=tuple(torch.tensor([kind for _, _, kind in group]) for group in groups),
            images=len(views),
        )

    @classmethod
    def of_single_views(cls, pixels: Tensor, kind: CropKind = CropKind.IMAGE) -> "Bags":
        """Take each of the pixels (N, 3, S, S) for the only view of an image."""
        owners = torch.arange(len(pixels), device=pixels.device)
        return cls((pixels,), (owners,), (torch.full_like(owners, KINDS.index(kind)),), len(pixels))

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Bags":
        """Move to a device; Lightning calls this too."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Bags":
        """Move to memory from which a GPU copies faster; torch's loader calls this."""
        return self._each(lambda tensor: tensor.pin_memory())

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Bags":
        pixels, owners, kinds = (tuple(map(change, group)) for group in (self.pixels, self.owners, self.kinds))
        return Bags(pixels, owners, kinds, self.images)


def _stacked(views: Sequence[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2)  # channels last, as the network works
