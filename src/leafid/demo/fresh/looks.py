"""Colours and surface of fresh leaves: what one plant's leaves look like from above and from beneath."""

import colorsys
from dataclasses import dataclass

import numpy as np

from leafid.demo.traits import RGB, Face


@dataclass(frozen=True)
class FreshLook:
    """Look of one face of a leaf. Colours are RGB in 0..1; contrasts are shares 0..1 of the vein's own colour."""

    blade: RGB
    midrib: RGB
    vein: RGB
    midrib_contrast: float
    vein_contrast: float
    minor_contrast: float
    midrib_width: float
    """Of the midrib at the base, relative to the blade's length."""
    vein_width: float
    minor_width: float
    faintest: float
    """Contrast of the faintest secondary, relative to the strongest."""
    weak_contrast: float
    """Of intersecondaries and branches, relative to the secondaries'."""
    weak_width: float
    """The same for their width."""
    relief: float
    """Height of veins, relative to their width: above 0 raised, below 0 impressed."""
    quilt: float
    """How far the blade is raised between the secondaries, relative to half their distance; below 0 sunk."""
    halo: float
    """Share of the vein's colour in the tissue beside it; below 0 the tissue between veins is paler."""
    gloss: float
    sharpness: float
    mottle: float
    grain: float
    margin: float
    """Share of pale colour along the margin."""
    spots: int
    holes: int


@dataclass(frozen=True)
class PlantLook:
    """The two faces of the leaves of one plant, and its stalks."""

    adaxial: FreshLook
    abaxial: FreshLook
    stalk: RGB

    def face(self, face: Face) -> FreshLook:
        """Return the look of a face."""
        return self.adaxial if face == "adaxial" else self.abaxial


def _hsv(rng: np.random.Generator, hue: tuple[float, float], sat: tuple[float, float], val: tuple[float, float]) -> RGB:
    return colorsys.hsv_to_rgb(float(rng.uniform(*hue)) % 1, float(rng.uniform(*sat)), float(rng.uniform(*val)))


def _blade_colour(rng: np.random.Generator) -> RGB:
    kind = rng.random()
    if kind < 0.56:  # green of every depth
        return _hsv(rng, (0.22, 0.38), (0.35, 0.95), (0.16, 0.62))
    if kind < 0.78:  # young or sunlit: yellow-green and bright
        return _hsv(rng, (0.16, 0.26), (0.4, 0.95), (0.5, 0.98))
    if kind < 0.86:  # dried or dying: brown, yellow
        return _hsv(rng, (0.06, 0.16), (0.3, 0.8), (0.25, 0.75))
    if kind < 0.92:  # red, purple
        return _hsv(rng, (0.93, 1.05), (0.3, 0.8), (0.2, 0.6))
    return _hsv(rng, (0.2, 0.5), (0.05, 0.35), (0.25, 0.75))  # grey-green, glaucous


def _pale(colour: RGB, rng: np.random.Generator) -> RGB:
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    return colorsys.hsv_to_rgb(
        (hue + rng.normal(0, 0.015)) % 1, saturation * rng.uniform(0.45, 0.85), min(value * rng.uniform(1.1, 1.7), 0.9)
    )


def _vein_colour(blade: RGB, rng: np.random.Generator) -> RGB:
    hue, saturation, value = colorsys.rgb_to_hsv(*blade)
    kind = rng.random()
    if kind < 0.55:  # paler, yellowish
        paler = (0.8 * hue + 0.2 * 0.16, saturation * rng.uniform(0.3, 0.8), min(value + rng.uniform(0.12, 0.45), 0.98))
        return colorsys.hsv_to_rgb(*(float(c) for c in paler))
    if kind < 0.75:  # red, pink, brown
        return _hsv(rng, (0.95, 1.07), (0.25, 0.75), (0.3, 0.8))
    if kind < 0.93:  # darker, as of leaves lit from behind
        return colorsys.hsv_to_rgb(hue, min(saturation * 1.1, 1), value * float(rng.uniform(0.35, 0.8)))
    return _hsv(rng, (0.1, 0.2), (0.0, 0.15), (0.85, 1.0))  # white


_MINOR_CONTRASTS = ((0.0, 0.0), (0.05, 0.3), (0.3, 0.8), (0.6, 1.1))
"""Ranges of the contrast of tertiaries, relative to the secondaries'."""


def _face(blade: RGB, face: Face, rng: np.random.Generator) -> FreshLook:
    below = face == "abaxial"
    vein = _vein_colour(blade, rng)
    midrib = vein if rng.random() < 0.7 else _vein_colour(blade, rng)
    clear = rng.random()
    contrast = rng.uniform(0.0, 0.2) if clear < 0.2 else rng.uniform(0.2, 0.6) if clear < 0.6 else rng.uniform(0.6, 1.0)
    quilted = rng.random()
    quilt = rng.uniform(0, 0.15) if quilted < 0.4 else rng.uniform(0.15, 0.5) if quilted < 0.75 else rng.uniform(0.5, 1)
    sign = 1 if (rng.random() < 0.85) == below else -1
    width = float(np.exp(rng.normal(0, 0.35)))
    shining = rng.random() < (0.15 if below else 0.5)
    return FreshLook(
        blade=blade,
        midrib=midrib,
        vein=vein,
        midrib_contrast=float(np.clip(contrast + rng.uniform(0.0, 0.5), 0, 1)),
        vein_contrast=float(contrast),
        minor_contrast=float(contrast * rng.uniform(*_MINOR_CONTRASTS[int(rng.integers(4))])),
        midrib_width=0.016 * width * float(rng.uniform(0.7, 1.6)),
        vein_width=0.0058 * width * float(rng.uniform(0.6, 1.5)),
        minor_width=0.0018 * width * float(rng.uniform(0.6, 1.6)),
        faintest=float(rng.uniform(0.4, 1.0)),
        weak_contrast=float(rng.uniform(0.25, 1.0)),
        weak_width=float(rng.uniform(0.35, 0.85)),
        relief=sign * float(rng.uniform(0.0, 0.5)),
        quilt=float(quilt) * (-1 if below else 1),
        halo=float(rng.uniform(-0.4, 0.5)) if rng.random() < 0.5 else 0.0,
        gloss=float(rng.uniform(0.2, 0.9) if shining else rng.uniform(0, 0.15)),
        sharpness=float(np.exp(rng.uniform(np.log(6), np.log(90)))),
        mottle=float(rng.uniform(0.2, 1.0)),
        grain=float(rng.uniform(0.0, 1.0)),
        margin=float(rng.uniform(0.1, 0.6)) if rng.random() < 0.25 else 0.0,
        spots=int(rng.integers(1, 12)) if rng.random() < 0.25 else 0,
        holes=int(rng.integers(1, 6)) if rng.random() < 0.15 else 0,
    )


def sample_look(rng: np.random.Generator) -> PlantLook:
    """Sample the look of a plant."""
    above = _blade_colour(rng)
    below = _pale(above, rng) if rng.random() < 0.8 else _blade_colour(rng)
    stalk = above if rng.random() < 0.3 else _vein_colour(above, rng)
    if rng.random() < 0.35:
        stalk = _hsv(rng, (0.03, 0.12), (0.2, 0.7), (0.2, 0.6))
    return PlantLook(_face(above, "adaxial", rng), _face(below, "abaxial", rng), stalk)


def varied(colour: RGB, rng: np.random.Generator, spread: float = 0.06) -> RGB:
    """Vary a colour a little, as leaves of one plant do."""
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    red, green, blue = colorsys.hsv_to_rgb(
        (hue + rng.normal(0, 0.2 * spread)) % 1,
        float(np.clip(saturation * (1 + rng.normal(0, spread)), 0, 1)),
        float(np.clip(value * (1 + rng.normal(0, 1.6 * spread)), 0.03, 0.98)),
    )
    return red, green, blue
