"""Light of a scene, and what it does to a surface of given relief."""

import colorsys
import math
from dataclasses import dataclass

import numpy as np

from leafid.demo.leaf import Image32


@dataclass(frozen=True)
class Light:
    """One main light and the sky. Directions: x to the right, y downwards in the image, z towards the camera."""

    direction: tuple[float, float, float]
    """Unit vector from the scene to the light."""
    ambient: float
    """Share 0..1 of the light that comes from everywhere."""
    colour: tuple[float, float, float]
    shine: tuple[float, float, float]
    """Colour of highlights."""
    shadow: float
    """Darkness 0..1 of cast shadows; 0 for none."""
    softness: float
    """Blur of cast shadows, relative to the distance they are moved."""


def sample_light(rng: np.random.Generator) -> Light:
    """Sample a light: from almost along the camera to grazing, hard sun to overcast."""
    azimuth = rng.uniform(0, 2 * np.pi)
    elevation = math.radians(rng.uniform(15, 85))
    warm = colorsys.hsv_to_rgb(float(rng.choice([0.09, 0.12, 0.6])), float(rng.uniform(0, 0.2)), 1.0)
    soft = rng.random() < 0.4
    return Light(
        direction=(
            math.cos(elevation) * math.cos(azimuth),
            math.cos(elevation) * math.sin(azimuth),
            math.sin(elevation),
        ),
        ambient=float(rng.uniform(0.55, 0.85) if soft else rng.uniform(0.2, 0.55)),
        colour=warm,
        shine=tuple(0.5 + 0.5 * np.array(warm)) if rng.random() < 0.6 else (0.85, 0.92, 1.0),
        shadow=float(rng.uniform(0.05, 0.3) if soft else rng.uniform(0.25, 0.75)),
        softness=float(rng.uniform(0.6, 1.5) if soft else rng.uniform(0.1, 0.7)),
    )


def lit(slope_x: Image32, slope_y: Image32, light: Light, gloss: float, sharpness: float) -> tuple[Image32, Image32]:
    """Return how bright a matt surface is and its highlight, both [H, W], 1 for a flat matt surface.

    `slope_x`, `slope_y`: height per pixel, towards the camera. Lambert's law and Blinn's highlight.
    """
    lx, ly, lz = light.direction
    length = 1 / np.sqrt(1 + slope_x**2 + slope_y**2)
    facing = np.maximum((lz - slope_x * lx - slope_y * ly) * length, 0)
    # Grazing light would make every slope glaring: the flat surface is never set darker than a third of full light.
    matt = light.ambient + (1 - light.ambient) * facing / max(lz, 0.35)
    hx, hy, hz = lx, ly, lz + 1
    norm = math.sqrt(hx * hx + hy * hy + hz * hz)
    half = (hz - slope_x * hx - slope_y * hy) * length / norm
    shine = gloss * np.exp(sharpness * (half - 1))
    return matt.astype(np.float32), shine.astype(np.float32)
