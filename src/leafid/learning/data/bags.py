"""Bags: the views of several images as tensors, the input of the network."""

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
    """The views of N images, grouped by their size (in pixels).

    Attributes:
        pixels: for each size (V, 3, S, S), uint8 RGB.
        image_index: for each size (V,), int64: the image that the view belongs to, 0..N-1.
        kinds: for each size (V,), int64: what the view shows, an index into ``KINDS``.
        images: N.
    """

    pixels: tuple[Tensor, ...]
    image_index: tuple[Tensor, ...]
    kinds: tuple[Tensor, ...]
    images: int

    @classmethod
    def of(cls, views: Sequence[Sequence[NDArray[np.uint8]]], kinds: Sequence[Sequence[CropKind]]) -> "Bags":
        """Combine the views (S, S, 3) of images, given what each view shows."""
        by_size: dict[int, list[tuple[NDArray[np.uint8], int, int]]] = {}
        for index, (image_views, image_kinds) in enumerate(zip(views, kinds, strict=True)):
            for view, kind in zip(image_views, image_kinds, strict=True):
                by_size.setdefault(len(view), []).append((view, index, KINDS.index(kind)))
        groups = [by_size[size] for size in sorted(by_size)]
        return cls(
            pixels=tuple(_stacked([view for view, _, _ in group]) for group in groups),
            image_index=tuple(torch.tensor([index for _, index, _ in group]) for group in groups),
            kinds=tuple(torch.tensor([kind for _, _, kind in group]) for group in groups),
            images=len(views),
        )

    @classmethod
    def of_single_views(cls, pixels: Tensor, kind: CropKind = CropKind.IMAGE) -> "Bags":
        """Make bags of N images with one view each: pixels (N, 3, S, S)."""
        index = torch.arange(len(pixels), device=pixels.device)
        return cls((pixels,), (index,), (torch.full_like(index, KINDS.index(kind)),), len(pixels))

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Bags":
        """Move to a device; Lightning also calls this."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Bags":
        """Copy to pinned memory, from which a GPU copies faster; torch's DataLoader calls this."""
        return self._each(lambda tensor: tensor.pin_memory())

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Bags":
        pixels, index, kinds = (tuple(map(change, group)) for group in (self.pixels, self.image_index, self.kinds))
        return Bags(pixels, index, kinds, self.images)


def _stacked(views: Sequence[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2)  # stays channels-last in memory, like the network
