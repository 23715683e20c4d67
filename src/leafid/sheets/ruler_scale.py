"""Find the scale of an image from a ruler on the sheet: evenly spaced ticks, with every tenth the longest.

Even spacing alone is not enough, because squared paper, cloth and rulers in inches have it too. A scale is returned
only if every tenth tick is longer than those between, as on a ruler in millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_PERIODS = (3.0, 30.0)  # distances of ticks that are searched, pixels
_BANDS = 400  # strips into which the image is divided across the ruler
_WINDOWS = 6  # windows per side; a ruler covers at least about one of them
_MIN_WINDOW = 256  # pixels
_PADDED = 2  # length of a transform, in windows
_MIN_PERIODIC = 0.5  # share of a strip's power that evenly spaced ticks must explain
_MIN_FUNDAMENTAL = 0.5  # approximate share of that in the fundamental frequency; rules out most strips early
_MIN_CONTRAST = 2.0  # standard deviation of a strip, grey levels
_CANDIDATES = 4  # strips of each period whose ticks are measured
_MIN_TICKS = 40
_STEPS = 91  # periods tried around the first estimate
_MIN_LONGER = 1.2  # length of a centimetre's tick relative to those between
_MIN_LONG_TENTHS = 0.75  # share of the centimetres' ticks that must be longer
_MAX_LONG_OTHERS = 0.15  # share of the other ticks that may look longer


@dataclass(frozen=True)
class RulerScale:
    """Scale of an image from a ruler.

    Attributes:
        px_per_mm: pixels of the input image per millimetre.
        ticks: number of millimetre ticks that were measured.
    """

    px_per_mm: float
    ticks: int


@dataclass(frozen=True)
class _Strip:
    """A strip with evenly spaced ticks: row, columns, distance of the ticks, and how clear they are."""

    row: int
    left: int
    right: int
    period: float
    clearness: float


def find_ruler_scale(pixels: NDArray[np.uint8]) -> RulerScale | None:
    """Find a ruler in millimetres, parallel to a side of the image.

    Args:
        pixels: uint8 RGB (H, W, 3), a few pixels per millimetre at least.

    Returns:
        The scale; None without a ruler, or if its divisions are not clearly millimetres.
    """
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.float32)
    found = []
    for rows in (grey, np.ascontiguousarray(grey.T)):  # horizontal, then vertical rulers
        for strip in _periodic_strips(rows):
            scale = _measure_ticks(rows, strip)
            if scale is not None:
                found.append(scale)
    return max(found, key=lambda scale: scale.ticks, default=None)


def _periodic_strips(grey: NDArray[np.float32]) -> list[_Strip]:
    """Find strips with evenly spaced ticks by their power spectrum; the clearest first for each period."""
    height, width = grey.shape
    thick = max(2, height // _BANDS)
    count = height // thick
    window = max(_MIN_WINDOW, width // _WINDOWS)
    if width < window or count < 2:
        return []
    profiles = grey[: count * thick].reshape(count, thick, width).mean(axis=1)
    profiles -= cv2.GaussianBlur(profiles, (0, 0), sigmaX=1.0 * _PERIODS[1] / 2, sigmaY=1e-6)
    frequency = np.fft.rfftfreq(_PADDED * window)  # zero-padded, because peaks lie between the bins
    searched = (frequency > max(1 / _PERIODS[1], 8 / window)) & (frequency < 1 / _PERIODS[0])
    shape = np.hanning(window).astype(np.float32)
    step = 2 * _PADDED  # half-width of a peak in padded bins
    strips = []
    for left in range(0, width - window + 1, window // 2):
        part = profiles[:, left : left + window] * shape
        power = np.abs(np.fft.rfft(part, _PADDED * window, axis=1)) ** 2
        total = power[:, frequency > 0.5 / _PERIODS[1]].sum(axis=1) + 1e-6
        bounded = np.where(searched, power, 0.0)
        cumulated = np.cumsum(power, axis=1)
        peaks = bounded.argmax(axis=1)
        highest = np.take_along_axis(power, peaks[:, None], axis=1)[:, 0]
        likely = (highest * step > _MIN_PERIODIC / 2 * _MIN_FUNDAMENTAL * total) & (part.std(axis=1) > _MIN_CONTRAST)
        for band in np.flatnonzero(likely):
            peak = int(peaks[band])
            harmonics = np.arange(peak, len(frequency), max(1, peak))
            low, high = harmonics - step - 1, np.minimum(harmonics + step, len(frequency) - 1)
            explained = float((cumulated[band, high] - cumulated[band, low]).sum()) / float(total[band])
            by_chance = float((high - low).sum()) / len(frequency)  # share of white noise in the same bins
            clear = (explained - by_chance) / max(1 - by_chance, 0.1)
            if clear > _MIN_PERIODIC:
                row = int(band) * thick + thick // 2
                strips.append(_Strip(row, left, left + window, 1 / float(frequency[peak]), clear))
    chosen: dict[int, list[_Strip]] = {}  # by period: the long ticks, five or ten times as far apart, are also even
    for strip in sorted(strips, key=lambda strip: -strip.clearness):
        alike = chosen.setdefault(round(20 * float(np.log(strip.period))), [])
        if len(alike) < _CANDIDATES:
            alike.append(strip)
    return [strip for alike in chosen.values() for strip in alike]


def _measure_ticks(grey: NDArray[np.float32], strip: _Strip) -> RulerScale | None:
    """Measure distance and number of the ticks; None unless every tenth tick is the longest."""
    period, phase = _refine_period(grey[strip.row, strip.left : strip.right], strip.period)
    left, right = _extend_strip(grey[strip.row], strip, period)
    period, phase = _refine_period(grey[strip.row, left:right], period)
    number = int((right - left - 1 - phase - period / 2) / period)
    if number < _MIN_TICKS:
        return None
    reach = round(12 * period)
    rows = np.arange(max(0, strip.row - reach), min(len(grey), strip.row + reach + 1))
    columns = np.asarray(left + phase + period * np.arange(number), np.float64)
    between = np.stack([_sample(grey, rows, columns - period / 2), _sample(grey, rows, columns + period / 2)]).mean(
        axis=0
    )
    contrast = _sample(grey, rows, columns) - between
    middle = int(strip.row - rows[0])
    usual = float(np.median(contrast[middle]))
    if abs(usual) < _MIN_CONTRAST:
        return None
    inked = contrast / usual > 0.45
    lengths = _run_length(inked[middle:]) + _run_length(inked[middle::-1]) - 1.0
    best = max(range(10), key=lambda first: float(np.median(lengths[first::10])))
    tenth = np.arange(number) % 10 == best
    others = ~tenth & (np.arange(number) % 5 != best % 5)
    longer = lengths > _MIN_LONGER * float(np.median(lengths[others]))
    halves = float(np.median(lengths[~tenth & ~others]))
    if (
        np.mean(longer[tenth]) < _MIN_LONG_TENTHS
        or np.mean(longer[others]) > _MAX_LONG_OTHERS
        or float(np.median(lengths[tenth])) < 1.05 * halves
    ):
        return None
    return RulerScale(px_per_mm=period, ticks=number)


def _refine_period(profile: NDArray[np.float32], period: float) -> tuple[float, float]:
    """Find the period near an estimate that explains most of a profile, and the position of its first tick."""
    detail = profile - np.asarray(cv2.GaussianBlur(profile.reshape(1, -1), (0, 0), period)).ravel()
    positions = np.arange(len(detail))
    shape = np.hanning(len(detail))
    periods = period * np.linspace(0.985, 1.015, _STEPS)
    waves = np.exp(-2j * np.pi * positions[None] / periods[:, None])
    responses = waves @ (detail * shape)
    best = int(np.abs(responses).argmax())
    found = float(periods[best])
    # Ticks are narrower than the gaps, so the sign of the skewness shows whether they are dark or light.
    dark = float(np.mean(detail**3)) < 0
    angle = float(np.angle(responses[best])) + (np.pi if dark else 0.0)
    return found, (-angle / (2 * np.pi) * found) % found


def _extend_strip(profile: NDArray[np.float32], strip: _Strip, period: float) -> tuple[int, int]:
    """Extend a strip to both sides as far as its ticks continue at the same distance."""
    detail = profile - np.asarray(cv2.GaussianBlur(profile.reshape(1, -1), (0, 0), period)).ravel()
    ten = round(10 * period)

    def amplitude(start: int) -> complex:
        part = detail[start : start + ten]
        return complex((part * np.exp(-2j * np.pi * np.arange(start, start + ten) / period)).mean())

    inside = [amplitude(start) for start in range(strip.left, strip.right - ten, ten)]
    usual = float(np.median(np.abs(inside))) if inside else 0.0
    left, right = strip.left, strip.right
    while left - ten >= 0 and abs(amplitude(left - ten)) > 0.5 * usual > 0:
        left -= ten
    while right + ten <= len(profile) and abs(amplitude(right)) > 0.5 * usual > 0:
        right += ten
    return left, right


def _sample(grey: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.float64]) -> NDArray[np.float32]:
    """Interpolate grey levels at whole rows and fractional columns, (rows, columns)."""
    x, y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
    return np.asarray(cv2.remap(grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _run_length(inked: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Count the inked rows of each tick from the first row on."""
    return np.where(inked.all(axis=0), len(inked), (~inked).argmax(axis=0)).astype(np.float64)
