"""Augmentation: what may be done to a leaf without making it another one. The only place that knows albumentations.

What stays true of a leaf: its outline, its proportions and its veins. What may change: how it lies on the sheet, which
side of the midrib is left, how far the camera was, light, paper, ageing, focus, and that a part is torn or covered. So
images are turned and mirrored freely, scaled alike in both directions, recoloured between green and brown, blurred a
little, torn, eaten and strapped down in places (``leaf_changes``); they are not stretched, and other hues stay near
what they were. Scale is not kept: no view knows its millimetres.

albumentations 2.0.8 is the last MIT release and no longer maintained; nothing else in leafid depends on it.
"""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.jobs import Strength
from leafid.learning.data.leaf_augmentations import CHANGES
from leafid.sheets import PAD_COLOUR

AUGMENTATION = 3
"""Rises when the same strength and seed give other pixels than before, so that what was kept of them is not used."""

MARGIN = 1.15
"""Views to be augmented are prepared this much larger, so that turning and cropping do not blur the veins."""


def margin(strength: Strength) -> float:
    """Return how much larger views are prepared from which training views are made by this strength."""
    return 1.0 if strength == "none" else MARGIN


def seen_side(prepared_side: int) -> int:
    """Return the side at which the network sees a view that was prepared with the margin."""
    return round(prepared_side / MARGIN)  # exact: rounding was off by less than half a seen pixel


def unaugmented(view: NDArray[np.uint8], strength: Strength) -> NDArray[np.uint8]:
    """Bring a view that was prepared for augmentation by this strength to the side that the network sees."""
    if strength == "none":
        return view
    side = seen_side(len(view))
    return np.asarray(Image.fromarray(view).resize((side, side), Image.Resampling.BICUBIC))


def augment(view: NDArray[np.uint8], strength: Strength, seed: int) -> NDArray[np.uint8]:
    """Make a training view.

    Args:
        view: prepared view (P, P, 3), uint8, larger than the network sees it by ``margin(strength)``.
        strength: how much is done.
        seed: the same seed gives the same result, in whatever process.

    Returns:
        Pixels (S, S, 3), uint8, of the side S that the network sees.
    """
    if strength == "none":
        return view
    transform = _transform(seen_side(len(view)), strength)
    transform.set_random_seed(seed)
    result: NDArray[np.uint8] = transform(image=view)["image"]
    if not np.ptp(view[::8, ::8], axis=2).any():  # a job without colours: ageing and paper have none either
        result = np.repeat(np.asarray(Image.fromarray(result).convert("L"))[..., None], 3, axis=2)
    return result


@cache
def _transform(size: int, strength: Strength) -> Any:  # noqa: ANN401 -- albumentations is untyped
    """Build the chain of a strength; once in each process."""
    # Read at import: without it albumentations asks the network for a newer version.
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations

    chains: dict[str, Callable[[Any, int], list[Any]]] = {"light": _light, "medium": _medium, "strong": _strong}
    return albumentations.Compose(chains[strength](albumentations, size))


def _placed(a: Any, size: int, *, turn: float, scale: tuple[float, float]) -> list[Any]:  # noqa: ANN401
    """Turn, scale (relative to what identification sees), mirror, and cut out the square."""
    return [
        a.Affine(
            rotate=(-turn, turn),
            scale=(scale[0] / MARGIN, scale[1] / MARGIN),
            keep_ratio=True,
            interpolation=2 if scale[1] > 1 else 1,  # cubic, linear
            fill=PAD_COLOUR,
            p=1.0,
        ),
        a.RandomCrop(size, size),
        a.HorizontalFlip(p=0.5),
    ]


def _light(a: Any, size: int) -> list[Any]:  # noqa: ANN401
    return [
        *_placed(a, size, turn=20, scale=(0.95, 1.15)),
        a.RandomBrightnessContrast(brightness_limit=0.1, contrast_limit=0.1, p=0.5),
    ]


def _medium(a: Any, size: int) -> list[Any]:  # noqa: ANN401
    return [
        _changed("other paper", p=0.1),
        *_placed(a, size, turn=180, scale=(0.85, 1.3)),
        _changed("dried or fresh", p=0.4),
        _changed("torn", p=0.1),
        _changed("insect holes", p=0.15),
        _changed("mounting strip", p=0.15),
        a.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.2, p=0.7),
        a.HueSaturationValue(hue_shift_limit=6, sat_shift_limit=25, val_shift_limit=0, p=0.5),
        a.GaussianBlur(sigma_limit=(0.3, 1.0), p=0.1),
    ]


def _strong(a: Any, size: int) -> list[Any]:  # noqa: ANN401
    return [
        _changed("other paper", p=0.2),
        *_placed(a, size, turn=180, scale=(0.7, 1.7)),
        _changed("dried or fresh", p=0.6),
        _changed("torn", p=0.2),
        _changed("insect holes", p=0.3),
        _changed("mounting strip", p=0.3),
        a.RandomBrightnessContrast(brightness_limit=0.3, contrast_limit=0.3, p=0.8),
        a.HueSaturationValue(hue_shift_limit=10, sat_shift_limit=40, val_shift_limit=0, p=0.7),
        a.ToGray(p=0.1),
        a.OneOf([a.GaussianBlur(sigma_limit=(0.3, 1.5)), a.GaussNoise(std_range=(0.02, 0.06))], p=0.25),
    ]


def _changed(name: str, *, p: float) -> Any:  # noqa: ANN401
    """Make a link of the chain from a change of leaves, which is done with probability ``p``."""
    import albumentations

    change = CHANGES[name]

    class Changed(albumentations.ImageOnlyTransform):  # type: ignore[misc]
        def apply(self, img: NDArray[np.uint8], **params: object) -> NDArray[np.uint8]:
            return change(img, self.random_generator)

    return Changed(p=p)
