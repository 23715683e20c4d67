"""One answer from several photos of one plant: calibrated pooling of log-probabilities.

Photos of one plant are not independent evidence: they show the same individual, often the same leaves, in one light.
With the mean correlation rho of what they say, n photos are worth n / (1 + (n - 1) rho) independent ones; the
denominator is the design effect of cluster samples (Kish 1965, Survey sampling). So the log-probabilities are added and
divided by the temperature 1 + (n - 1) rho. With rho = 0 this is the product of independent evidence, with rho = 1 the
geometric mean, a logarithmic opinion pool (Genest & Zidek 1986, Combining probability distributions, Statistical
Science 1), which is never more certain than its photos.

One number gives the temperature of every number of photos, because hardly any training data have enough plants with
three, four and five photos to fit a temperature for each.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Calibration, PhotoPooling
from leafid.trust.calibration import CalibrationSet, calibrated_probabilities

DEFAULT_CORRELATION = 0.5
"""Correlation of the photos of a plant where the bundle has none; ``scripts/measure_plants.py`` measures it."""

MISTAKEN_SHARE = 0.01
"""Assumed share of photos that show another plant by mistake.

Each photo's probabilities are mixed with so much of a uniform distribution before they are pooled, so that one wrong
photo cannot exclude the taxon that all the others show.
"""

MAX_FITTED_PHOTOS = 5
"""Largest number of photos of a gathering that are pooled when the correlation is fitted."""

MIN_PLANTS = 10
"""Gatherings with two images or more from which the correlation is fitted; with fewer it would be a guess."""

_PRIOR_STD = 0.25  # of a normal prior around the default, which weighs as much as one gathering


def pooling_temperature(photos: int, correlation: float) -> float:
    """Return the temperature that divides the summed log-probabilities: 1 for one photo, at most the number of photos.

    Args:
        photos: number of photos of the plant.
        correlation: 0 (independent photos) to 1 (each says the same).
    """
    return 1 + (photos - 1) * correlation


def pool_photos(probabilities: NDArray[np.floating], correlation: float) -> NDArray[np.float64]:
    """Return the probabilities of a plant given those of its photos: (T,); those of a single photo unchanged.

    Args:
        probabilities: (n, T), calibrated, one row per photo, n at least 1.
        correlation: 0 (independent photos) to 1 (each says the same).
    """
    rows = np.asarray(probabilities, dtype=np.float64)
    if len(rows) == 1:
        return np.asarray(rows[0])
    mixed = (1 - MISTAKEN_SHARE) * rows + MISTAKEN_SHARE / rows.shape[1]
    pooled = np.log(mixed).sum(axis=0) / pooling_temperature(len(rows), correlation)
    powers = np.exp(pooled - pooled.max())
    return np.asarray(powers / powers.sum())


def photo_correlation(fitted: PhotoPooling | None) -> float:
    """Return the correlation with which a bundle pools photos: the fitted one, else ``DEFAULT_CORRELATION``."""
    return DEFAULT_CORRELATION if fitted is None else fitted.correlation


def fit_photo_pooling(fitting: CalibrationSet, calibration: Calibration) -> PhotoPooling | None:
    """Fit the correlation that minimises the negative log-likelihood of the true taxa of pooled images.

    The images of a gathering take the place of the photos of a plant. Each gathering weighs 1.

    Args:
        fitting: val, or train and val out of fold; never test.
        calibration: fitted on the same images.

    Returns:
        The correlation; None with fewer than ``MIN_PLANTS`` gatherings of several images.
    """
    from scipy.optimize import minimize_scalar

    plants = _plants(fitting)
    if len(plants) < MIN_PLANTS:
        return None
    probabilities = calibrated_probabilities(fitting.logits, calibration)

    def loss(correlation: float) -> float:
        nll = sum(
            float(np.mean([-np.log(max(pool_photos(probabilities[rows], correlation)[label], 1e-12)) for rows in sets]))
            for label, sets in plants
        )
        return nll + 0.5 * ((correlation - DEFAULT_CORRELATION) / _PRIOR_STD) ** 2

    best = minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded")
    used = [row for _, sets in plants for rows in sets for row in rows]
    fitted_on = fitting.fitted_on.model_copy(update={"images": len(set(used)), "gatherings": len(plants)})
    return PhotoPooling(correlation=float(best.x), fitted_on=fitted_on)


def _plants(fitting: CalibrationSet) -> list[tuple[int, list[list[int]]]]:
    """Return label and sets of images of each gathering that has several: every run of 2 to 5 images."""
    by_gathering: dict[str, list[int]] = {}
    for row, gathering in enumerate(fitting.gatherings):
        by_gathering.setdefault(str(gathering), []).append(row)
    several = [rows for rows in by_gathering.values() if len(rows) > 1 and _same(fitting.truth[rows])]
    return [(int(fitting.truth[rows[0]]), _runs(rows)) for rows in several]


def _runs(rows: Sequence[int]) -> list[list[int]]:
    lengths = range(2, min(len(rows), MAX_FITTED_PHOTOS) + 1)
    return [list(rows[start : start + length]) for length in lengths for start in range(len(rows) - length + 1)]


def _same(labels: NDArray[np.int64]) -> bool:
    return bool((labels == labels[0]).all())
