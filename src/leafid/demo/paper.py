"""Draw the empty sheet, and apply light, blur and noise of a camera to the finished picture."""

import cv2
import numpy as np

from leafid.demo.herbaria import IMAGE_MM, Herbarium
from leafid.demo.leaf import Image8, smooth_noise

_GRAIN_TILE = 512  # px; sensor noise repeats at this distance, which saves time and cannot be seen
_UNIT_GAIN = 220  # light is multiplied in 8 bits, in steps of 1/220


def bare_sheet(herbarium: Herbarium, px_per_mm: float, rng: np.random.Generator) -> Image8:
    """Return the empty sheet [H, W, 3] on its backdrop, with fibres, stains and the shadow of its edge."""
    width, height = (round(side * px_per_mm) for side in IMAGE_MM)
    image = np.empty((height, width, 3), np.uint8)
    backdrop = np.clip(np.array(herbarium.backdrop) * rng.uniform(0.94, 1.04), 0, 255)
    image[:] = backdrop
    left, top, sheet_width, sheet_height = herbarium.sheet
    left, top = left + rng.normal(0, 0.8), top + rng.normal(0, 0.8)
    x0, y0 = max(round(left * px_per_mm), 0), max(round(top * px_per_mm), 0)
    x1 = min(round((left + sheet_width) * px_per_mm), width)
    y1 = min(round((top + sheet_height) * px_per_mm), height)
    shadow = max(round(1.2 * px_per_mm), 1)
    image[y0 + shadow : y1 + shadow, x0 + shadow : x1 + shadow] = (backdrop * 0.8).astype(np.uint8)
    tone = 1.3 * smooth_noise(rng, (y1 - y0, x1 - x0), 40 * px_per_mm)
    tone += smooth_noise(rng, (y1 - y0, x1 - x0), 1.2 * px_per_mm)
    steps = cv2.convertScaleAbs(tone, alpha=18, beta=128)
    yellowed = float(rng.uniform(0, 14)) * np.array([0.3, 0.6, 1.4])
    paper = np.array(herbarium.paper) * rng.uniform(0.95, 1.02) - yellowed
    colours = paper * (1 + (np.arange(256) - 128)[:, None] / 3000)  # [256, 3]: the paper's colour for each step of tone
    image[y0:y1, x0:x1] = cv2.LUT(cv2.merge([steps] * 3), np.clip(colours, 0, 255).astype(np.uint8)[None])
    return image


def photographed(image: Image8, rng: np.random.Generator) -> Image8:
    """Return the picture as photographed on a copy stand: uneven light, slight blur, sensor noise."""
    height, width = image.shape[:2]
    corners = rng.uniform(0.94, 1.03, size=(2, 2)).astype(np.float32)
    light = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    grain = rng.standard_normal((_GRAIN_TILE, _GRAIN_TILE), dtype=np.float32) * 0.010
    repeats = (-(-height // _GRAIN_TILE), -(-width // _GRAIN_TILE))
    light = cv2.add(light, np.tile(grain, repeats)[:height, :width])
    gain = cv2.convertScaleAbs(light, alpha=_UNIT_GAIN)
    blurred = cv2.GaussianBlur(image, (3, 3), float(rng.uniform(0.35, 0.6)))
    lit = cv2.multiply(blurred, cv2.merge([gain] * 3), scale=1 / _UNIT_GAIN)
    balance = rng.uniform(0.985, 1.015, size=3)
    levels = np.clip(np.arange(256)[:, None] * balance, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(lit, levels[None]), dtype=np.uint8)
