"""Augmentation: random changes of views that do not change the taxon. The only module that uses albumentations.

Outline, proportions and veins of a leaf identify it and are kept. Position, mirror image, camera distance, light,
paper, ageing, focus and compression may change, and parts may be torn or covered. So views are rotated and mirrored
freely, scaled equally in both directions, recoloured between green and brown, slightly blurred, compressed, and changed
as herbarium leaves are (``leaf_augmentations``). They are not stretched, and hues change little. Scale is not kept,
because views have no scale in millimetres.

albumentations 2.0.8 is the last MIT release and no longer maintained; nothing else in leafid depends on it.
"""

import os
import random
from collections.abc import Callable
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.errors import RunError
from leafid.jobs import Strength, is_own_code, own_function
from leafid.learning.data.leaf_augmentations import LEAF_AUGMENTATIONS
from leafid.sheets import PAD_COLOUR

AUGMENTATION_VERSION = 5
"""Increased when the same strength and seed give other pixels than before, so that cached embeddings are not reused."""

Change = Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]
"""Takes a view and a random generator, and returns a new view."""

MARGIN = 1.15
"""Views to be augmented are prepared larger by this factor, so that rotating and cropping do not blur the veins."""


def margin(strength: Strength) -> float:
    """Return the factor by which views are prepared larger for augmentation of this strength."""
    return 1.0 if strength == "none" else MARGIN


def output_side(prepared_side: int) -> int:
    """Return the side, in pixels, at which the network sees a view that was prepared with the margin."""
    return round(prepared_side / MARGIN)  # exact, because preparation rounded by at most half a pixel


def unaugmented(view: NDArray[np.uint8], strength: Strength) -> NDArray[np.uint8]:
    """Resize a view that was prepared for augmentation of this strength to the side that the network sees."""
    if strength == "none":
        return view
    side = output_side(len(view))
    return np.asarray(Image.fromarray(view).resize((side, side), Image.Resampling.BICUBIC))


def augment(view: NDArray[np.uint8], strength: Strength, seed: int) -> NDArray[np.uint8]:
    """Augment a view.

    Args:
        view: prepared view (P, P, 3), uint8, larger by ``margin(strength)`` than the network sees it.
        strength: how much is changed, or own code.
        seed: the same seed gives the same result, in any process.

    Returns:
        Pixels (S, S, 3), uint8, of the side S that the network sees.

    Raises:
        RunError: own code returned something else than a view.
    """
    if strength == "none":
        return view
    if is_own_code(strength):
        return unaugmented(_by_own_code(view, strength, seed), strength)
    transform = _transform(output_side(len(view)), strength)
    # One stream of random numbers for all changes: seeded one by one, all would draw the same number, so that a view
    # that has one change would have all that are at least as likely.
    transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
    result: NDArray[np.uint8] = transform(image=view)["image"]
    if not np.ptp(view[::8, ::8], axis=2).any():  # a job without colours: remove those of ageing and paper
        result = np.repeat(np.asarray(Image.fromarray(result).convert("L"))[..., None], 3, axis=2)
    return result


def _by_own_code(view: NDArray[np.uint8], reference: str, seed: int) -> NDArray[np.uint8]:
    changed = own_function(reference)(view.copy(), np.random.default_rng(seed))
    shape, kind = getattr(changed, "shape", None), getattr(changed, "dtype", None)
    if shape != view.shape or kind != np.uint8:
        raise RunError(
            f"training.augmentation: {reference} returned {type(changed).__name__} of shape {shape} and type {kind}; "
            f"it must return a view as it gets it: an array {view.shape} of uint8."
        )
    return np.asarray(changed)


@cache
def _transform(size: int, strength: Strength) -> Any:  # noqa: ANN401 -- albumentations is untyped
    """Build the transform of a strength, once in each process."""
    # albumentations reads this at import; otherwise it looks for a newer version on the web.
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations

    chains: dict[str, Callable[[Any, int], list[Any]]] = {"light": _light, "medium": _medium, "strong": _strong}
    return albumentations.Compose(chains[strength](albumentations, size))


def _geometric(size: int, *, turn: float, scale: tuple[float, float]) -> Any:  # noqa: ANN401
    """Make a transform that rotates, scales (relative to the views of identification), mirrors and crops the square."""

    def change(view: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        centre, room = len(view) / 2 - 0.5, len(view) - size
        angle, factor = rng.uniform(-turn, turn), rng.uniform(*scale) / MARGIN
        matrix = cv2.getRotationMatrix2D((centre, centre), angle, factor)
        matrix[:, 2] -= rng.integers(0, room, size=2, endpoint=True)
        if rng.random() < 0.5:
            matrix[0] *= -1
            matrix[0, 2] += size - 1
        # One pass that computes the pixels of the crop only takes half as long as one for each change.
        interpolation = cv2.INTER_CUBIC if scale[1] > 1 else cv2.INTER_LINEAR
        turned = cv2.warpAffine(view, matrix, (size, size), flags=interpolation, borderValue=PAD_COLOUR)
        return np.asarray(turned, dtype=np.uint8)

    return _transform_of(change, p=1.0)


def _light(a: Any, size: int) -> list[Any]:  # noqa: ANN401
    return [
        _geometric(size, turn=20, scale=(0.95, 1.15)),
        a.RandomBrightnessContrast(brightness_limit=0.1, contrast_limit=0.1, p=0.5),
    ]


def _medium(a: Any, size: int) -> list[Any]:  # noqa: ANN401
    return [
        _leaf_change("other paper", p=0.1),
        _geometric(size, turn=180, scale=(0.85, 1.3)),
        _leaf_change("dried or fresh", p=0.4),
        _leaf_change("torn", p=0.1),
        _leaf_change("insect holes", p=0.15),
        _leaf_change("mounting strip", p=0.15),
        a.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.2, p=0.7),
        a.HueSaturationValue(hue_shift_limit=6, sat_shift_limit=25, val_shift_limit=0, p=0.5),
        a.GaussianBlur(sigma_limit=(0.3, 1.0), p=0.1),
        a.ImageCompression("jpeg", quality_range=(60, 95), p=0.2),
    ]


def _strong(a: Any, size: int) -> list[Any]:  # noqa: ANN401
    return [
        _leaf_change("other paper", p=0.2),
        _geometric(size, turn=180, scale=(0.7, 1.7)),
        _leaf_change("dried or fresh", p=0.6),
        _leaf_change("torn", p=0.2),
        _leaf_change("insect holes", p=0.3),
        _leaf_change("mounting strip", p=0.3),
        a.RandomBrightnessContrast(brightness_limit=0.3, contrast_limit=0.3, p=0.8),
        a.HueSaturationValue(hue_shift_limit=10, sat_shift_limit=40, val_shift_limit=0, p=0.7),
        a.ToGray(p=0.1),
        a.OneOf([a.GaussianBlur(sigma_limit=(0.3, 1.5)), a.GaussNoise(std_range=(0.02, 0.06))], p=0.25),
        # WebP smooths fine veins away where JPEG leaves blocks, and takes nine times as long.
        a.OneOf([a.ImageCompression("jpeg", (40, 95), p=0.75), a.ImageCompression("webp", (60, 95), p=0.25)], p=0.3),
    ]


def _leaf_change(name: str, *, p: float) -> Any:  # noqa: ANN401
    """Make a transform of one of ``LEAF_AUGMENTATIONS``, applied with probability ``p``."""
    return _transform_of(LEAF_AUGMENTATIONS[name], p=p)


def _transform_of(change: Change, *, p: float) -> Any:  # noqa: ANN401
    """Make a transform of albumentations, applied with probability ``p``."""
    import albumentations

    class Transform(albumentations.ImageOnlyTransform):  # type: ignore[misc]
        def apply(self, img: NDArray[np.uint8], **params: object) -> NDArray[np.uint8]:
            return change(img, self.random_generator)

    return Transform(p=p)
