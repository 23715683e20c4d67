"""A second look at photos whose first answer is a name but not a sure one.

A photo has no natural way up, and says nothing by the detail that the next compression takes away. Where the first
answer is not sure, the network therefore sees the same views again: turned by half, mirrored, and slightly softened.
The probabilities are the mean over all looks, so that a name on which they do not agree is no longer probable enough.
``scripts/measure_stability.py`` measures how many answers change without and with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Calibration
from leafid.identify.engines.engine import Engine
from leafid.sheets import PreparedImage
from leafid.trust import calibrated_probabilities

SURE = 0.97
"""Probability from which a first answer stands; such answers hardly ever change."""

View = NDArray[np.uint8]


def _softened(view: View) -> View:
    import cv2

    return np.asarray(cv2.GaussianBlur(view, (0, 0), 1.0), dtype=np.uint8)


LOOKS: tuple[Callable[[View], View], ...] = (
    lambda view: np.ascontiguousarray(view[::-1, ::-1]),
    lambda view: np.ascontiguousarray(view[:, ::-1]),
    _softened,
)
"""How the views (S, S, 3) are changed for each further look."""


def second_look(
    engine: Engine, images: Sequence[PreparedImage], first: NDArray[np.float64], calibration: Calibration
) -> NDArray[np.float64]:
    """Return the probabilities of images after further looks: (N, T); a row is NaN where a look gives no number.

    Args:
        engine: of the bundle.
        images: N images.
        first: (N, T), their probabilities at the first look.
        calibration: of the bundle.
    """
    looks = [first]
    for look in LOOKS:
        changed = [replace(image, views=tuple(map(look, image.views))) for image in images]
        looks.append(calibrated_probabilities(engine.predict(changed).logits, calibration))
    return np.asarray(np.mean(looks, axis=0))
