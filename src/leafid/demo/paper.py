"""Paper, light and camera: the ground a sheet is drawn on, and what happens to the finished picture."""

import cv2
import numpy as np

from leafid.demo.herbaria import IMAGE_MM, Herbarium
from leafid.demo.leaf import Image8, smooth_noise


def bare_sheet(herbarium: Herbarium, px_per_mm: float, rng: np.random.Generator) -> Image8:
    """Return the empty sheet [H, W, 3] on its backdrop, with fibres, stains and the shadow of its edge."""
    width, height = (round(side * px_per_mm) for side in IMAGE_MM)
    image = np.empty((height, width, 3), np.float32)
    image[:] = np.array(herbarium.backdrop, np.float32) * rng.uniform(0.94, 1.04)
    left, top, sheet_width, sheet_height = herbarium.sheet
    left, top = left + rng.normal(0, 0.8), top + rng.normal(0, 0.8)
    x0, y0 = max(round(left * px_per_mm), 0), max(round(top * px_per_mm), 0)
    x1 = min(round((left + sheet_width) * px_per_mm), width)
    y1 = min(round((top + sheet_height) * px_per_mm), height)
    shadow = max(round(1.2 * px_per_mm), 1)
    image[y0 + shadow : y1 + shadow, x0 + shadow : x1 + shadow] *= 0.8
    paper = np.array(herbarium.paper, np.float32) * rng.uniform(0.95, 1.02)
    yellowed = float(rng.uniform(0, 14)) * np.array([0.3, 0.6, 1.4])
    tone = 1 + 0.008 * smooth_noise(rng, (y1 - y0, x1 - x0), 40 * px_per_mm)
    tone += 0.006 * smooth_noise(rng, (y1 - y0, x1 - x0), 1.2 * px_per_mm)
    image[y0:y1, x0:x1] = (paper - yellowed) * tone[..., None]
    return np.asarray(np.clip(image, 0, 255), dtype=np.uint8)


def photographed(image: Image8, rng: np.random.Generator) -> Image8:
    """Return the picture as a copy stand gives it: uneven light, a trace of blur, sensor noise."""
    height, width = image.shape[:2]
    corners = rng.uniform(0.94, 1.03, size=(2, 2)).astype(np.float32)
    light = np.asarray(cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    light = light + 0.010 * rng.standard_normal((height, width), dtype=np.float32)
    blurred = cv2.GaussianBlur(image, (3, 3), float(rng.uniform(0.35, 0.6)))
    balance = rng.uniform(0.985, 1.015, size=3).astype(np.float32)
    return np.asarray(np.clip(blurred * light[..., None] * balance, 0, 255), dtype=np.uint8)
