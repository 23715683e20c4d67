"""How many secondary veins a side has, and how often a number with such evidence is right."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np

from leafid.errors import WeightsError
from leafid.sheets.leaf_parser.reading import Departure, Side, ViewReading
from leafid.sheets.leaf_parser.weights import FOLDER

CALIBRATION = "counting.json"


def counted(side: Side, threshold: float) -> tuple[Departure, ...]:
    """The departures that count as secondary veins, from the base upwards."""
    return tuple(departure for departure in side.departures if departure.chance >= threshold)


def evidence(reading: ViewReading, side: Side, px_scale: float, threshold: float) -> list[float]:
    """What the quality of a count depends on, in the order of the calibration's coefficients.

    Args:
        reading: the leaf.
        side: the side that was counted.
        px_scale: view pixels per pixel of the picture: above 1 the leaf was enlarged.
        threshold: probability from which a departure counts.
    """
    chances = np.array([departure.chance for departure in side.departures])
    number = int((chances >= threshold).sum())
    within = float(np.clip(within_one(chances, number, threshold), 0.01, 0.99))
    other = reading.right if side is reading.left else reading.left
    apart = abs(number - len(counted(other, threshold)))
    return [
        float(np.log(within / (1 - within))),
        reading.facts["veins_visible"],
        reading.facts["visible_fraction"],
        reading.facts["folded"],
        float(np.log(max(px_scale, 0.05))),
        float(min(apart, 4)),
        number / 10,
    ]


def within_one(chances: np.ndarray, number: int, threshold: float) -> float:
    """Probability that the true number is within 1, were the departures independent (Poisson binomial).

    Chances are first moved so that `threshold` becomes a half.
    """
    odds = chances / np.maximum(1 - chances, 1e-6) * (1 - threshold) / threshold
    spread = np.array([1.0])
    for chance in odds / (1 + odds):
        spread = np.convolve(spread, [1 - chance, chance])
    return float(spread[max(0, number - 1) : number + 2].sum())


def quality(evidences: list[float], folder: Path = FOLDER) -> float:
    """How often counts with such evidence were within 1 on drawn leaves that were held back."""
    calibration = read_calibration(folder)
    total = float(np.dot(calibration["coefficients"], [1.0, *evidences]))
    return float(1 / (1 + np.exp(-total)))


@cache
def read_calibration(folder: Path = FOLDER) -> dict[str, list[float]]:
    """Read `threshold` and `coefficients` (the constant first).

    Raises:
        WeightsError: the file is missing or no calibration.
    """
    path = folder / CALIBRATION
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"threshold": [float(found["threshold"])], "coefficients": [float(c) for c in found["coefficients"]]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} is missing or damaged. Install leafid again.") from error
