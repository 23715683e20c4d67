"""Draw one leaf as pixels: colour, coverage and the exact vein mask, at 1 to about 20 px/mm."""

import math
from dataclasses import dataclass, replace
from enum import IntEnum

import cv2
import numpy as np
import numpy.typing as npt

from leafid.demo.outline import Blade, Frame, Points, blade_outline, leaf_frame
from leafid.demo.traits import RGB, Face, LeafTraits, PlantLook
from leafid.demo.venation import Venation, blade_venation

Image8 = npt.NDArray[np.uint8]
Image32 = npt.NDArray[np.float32]

_SHIFT = 4  # binary places of subpixel coordinates in OpenCV's drawing functions


class Vein(IntEnum):
    """Classes of veins: the values of a vein mask, in which 0 is everything else."""

    MIDRIB = 1
    SECONDARY = 2
    TERTIARY = 3


@dataclass(frozen=True)
class DrawnLeaf:
    """A leaf drawn on its own patch of pixels, with its truth. Coordinates are (column, row) of the patch."""

    image: Image8
    """[H, W, 3] RGB; undefined where `coverage` is 0."""
    coverage: Image8
    """[H, W] 0..255: share of each pixel that the blade covers."""
    veins: Image8
    """[H, W] values of `Vein`, 0 elsewhere; veins lie inside the blade."""
    traits: LeafTraits
    blade: Blade
    venation: Venation
    frame: Frame
    face: Face
    folded: bool = False
    torn: bool = False

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """[H, W] True where the blade covers at least half of the pixel."""
        return self.coverage >= 128

    @property
    def midrib_px(self) -> Points:
        """[N, 2] the midrib of the intact, unfolded leaf from base to apex."""
        return self.frame.to_px(self.venation.midrib)

    def on_background(self, background: Image8) -> Image8:
        """Return the leaf laid on an RGB image [H, W, 3] of the patch's size."""
        alpha = (self.coverage.astype(np.float32) / 255)[..., None]
        return np.asarray(self.image * alpha + background * (1 - alpha) + 0.5, dtype=np.uint8)


def draw_leaf(
    traits: LeafTraits,
    look: PlantLook,
    rng: np.random.Generator,
    *,
    px_per_mm: float,
    face: Face = "adaxial",
    direction_deg: float = 0.0,
    margin_px: int = 4,
) -> DrawnLeaf:
    """Draw the blade of one leaf; `draw_sheet` draws the petiole.

    Args:
        traits: geometry of the leaf, see `sample_leaf`.
        look: colours and relief of the dried plant.
        rng: random generator for the uneven margin, vein positions and texture.
        px_per_mm: scale of the drawing, 1 to about 20.
        face: the visible side; the abaxial side is paler, and its veins are raised instead of impressed.
        direction_deg: direction of the apex: 0 up, 90 to the right.
        margin_px: empty pixels around the blade.
    """
    blade = blade_outline(traits, rng)
    venation = blade_venation(blade, rng)
    outline = leaf_frame(traits, px_per_mm, (0.0, 0.0), direction_deg).to_px(blade.polygon())
    low = np.floor(outline.min(axis=0)) - margin_px
    width, height = (np.ceil(outline.max(axis=0)) + margin_px - low + 1).astype(int).tolist()
    frame = leaf_frame(traits, px_per_mm, (-low[0], -low[1]), direction_deg)
    outline = outline - low
    # Below 8 px/mm the finest veins are narrower than a pixel: draw at twice the scale and reduce.
    fine = 2 if px_per_mm < 8 else 1
    coverage = _reduced(_filled(outline * fine, (height * fine, width * fine)), fine)
    layers = {
        vein: _reduced(layer, fine) for vein, layer in _vein_layers(venation, frame, (height, width), fine).items()
    }
    image = _shaded(coverage, layers, look, face, px_per_mm, rng)
    return DrawnLeaf(image, coverage, _vein_mask(layers, coverage), traits, blade, venation, frame, face)


def fixed_point(points: Points) -> npt.NDArray[np.int32]:
    """Convert pixel coordinates (pixel centres at whole numbers + 0.5) to OpenCV's shifted integers."""
    return np.round((points - 0.5) * (1 << _SHIFT)).astype(np.int32)


def fill(image: Image8 | Image32, points: Points, value: float | tuple[float, ...]) -> None:
    """Fill a polygon [N, 2] in place, with smooth edges."""
    colour = value if isinstance(value, tuple) else (value,)
    cv2.fillPoly(image, [fixed_point(points)], colour, cv2.LINE_AA, _SHIFT)


def taper(line: Points, start: float, end: float) -> Points:
    """Return the polygon of a line [N, 2] whose width runs from `start` to `end`."""
    tangent = np.gradient(line, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    normal /= np.maximum(np.hypot(*normal.T), 1e-9)[:, None]
    half = np.linspace(start, end, len(line))[:, None] / 2
    return np.concatenate([line + half * normal, (line - half * normal)[::-1]])


def _filled(polygon: Points, shape: tuple[int, int]) -> Image8:
    layer = np.zeros(shape, np.uint8)
    fill(layer, polygon, 255)
    return layer


def _reduced(layer: Image8, factor: int) -> Image8:
    if factor == 1:
        return layer
    size = (layer.shape[1] // factor, layer.shape[0] // factor)
    return np.asarray(cv2.resize(layer, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _vein_layers(venation: Venation, frame: Frame, shape: tuple[int, int], fine: int) -> dict[Vein, Image8]:
    """Draw each order of veins on its own layer; widths grow with the root of the leaf's length."""
    layers = {vein: np.zeros((shape[0] * fine, shape[1] * fine), np.uint8) for vein in Vein}
    scale = frame.px_per_mm * fine
    size = math.sqrt(venation.midrib[-1, 1] / 120)
    midrib = frame.to_px(venation.midrib) * fine
    fill(layers[Vein.MIDRIB], taper(midrib, 1.9 * size * scale, 0.35 * scale), 255)
    for secondary in venation.left + venation.right:
        line = frame.to_px(secondary) * fine
        parts = 4
        for part in range(parts):
            cut = slice(part * len(line) // parts, (part + 1) * len(line) // parts + 1)
            thickness = max(round((0.78 - 0.16 * part) * size * scale), 1)
            cv2.polylines(
                layers[Vein.SECONDARY], [fixed_point(line[cut])], False, (255,), thickness, cv2.LINE_AA, _SHIFT
            )
    tertiaries = [fixed_point(frame.to_px(line) * fine) for line in venation.tertiaries]
    thickness = max(round(0.13 * scale), 1)
    # OpenCV draws at least one pixel wide: a thinner line is drawn fainter instead.
    strength = min(0.16 * scale / thickness, 1.0) * 255
    cv2.polylines(layers[Vein.TERTIARY], tertiaries, False, (strength,), thickness, cv2.LINE_AA, _SHIFT)
    return layers


def _vein_mask(layers: dict[Vein, Image8], coverage: Image8) -> Image8:
    veins = np.zeros(coverage.shape, np.uint8)
    for vein, threshold in ((Vein.TERTIARY, 40), (Vein.SECONDARY, 90), (Vein.MIDRIB, 110)):
        veins[layers[vein] >= threshold] = vein
    veins[coverage < 128] = 0
    return veins


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], grain: float) -> Image32:
    """Return noise [H, W] with a standard deviation of about 1 and spots of about `grain` pixels."""
    height, width = (max(math.ceil(side / grain), 2) for side in shape)
    coarse = rng.standard_normal((height, width), dtype=np.float32)
    return np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _shaded(
    coverage: Image8,
    layers: dict[Vein, Image8],
    look: PlantLook,
    face: Face,
    px_per_mm: float,
    rng: np.random.Generator,
) -> Image8:
    """Colour the blade: mottled dried tissue, veins of another colour, and relief lit from the upper left."""
    shape = (coverage.shape[0], coverage.shape[1])
    midrib, secondary, tertiary = (layers[vein].astype(np.float32) / 255 for vein in Vein)
    blurred = cv2.GaussianBlur(secondary, (0, 0), 0.9 * px_per_mm)
    ridges = np.maximum(midrib, np.maximum(0.75 * secondary, 0.22 * tertiary))
    sign = 1.0 if face == "abaxial" else -0.6
    height = sign * cv2.GaussianBlur(ridges, (0, 0), max(0.16 * px_per_mm, 0.5))
    height -= 1.1 * sign * blurred
    height += 0.35 * smooth_noise(rng, shape, 14 * px_per_mm) + 0.05 * smooth_noise(rng, shape, 2.5 * px_per_mm)
    slope = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3) + cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3)
    light = 1 + look.relief * 0.05 * px_per_mm**0.35 * slope
    light += look.mottle * (
        0.05 * smooth_noise(rng, shape, 18 * px_per_mm) + 0.045 * smooth_noise(rng, shape, 1.6 * px_per_mm)
    )
    light += 0.03 * rng.standard_normal(shape, dtype=np.float32)
    light -= 0.10 * np.maximum(0, 1 - cv2.GaussianBlur(coverage, (0, 0), 0.8 * px_per_mm).astype(np.float32) / 230)
    contrast = look.vein_contrast * (1.15 if face == "abaxial" else 0.9)
    # Tissue beside a secondary vein dries to a colour between those of vein and blade.
    halo = np.minimum(2.2 * blurred, 1)
    light *= 1 + contrast * np.maximum(midrib, np.maximum(0.9 * secondary, np.maximum(0.38 * tertiary, 0.4 * halo)))
    colour = np.array(look.abaxial if face == "abaxial" else look.adaxial, np.float32) * 255
    warm = 0.03 * look.mottle * smooth_noise(rng, shape, 25 * px_per_mm)[..., None] * np.array([1, 0.2, -1], np.float32)
    return np.asarray(np.clip(colour * light[..., None] * (1 + warm), 0, 255), dtype=np.uint8)


def jittered(colour: RGB, rng: np.random.Generator, spread: float = 0.05) -> RGB:
    """Vary a colour slightly, as between leaves of one plant."""
    brightness = 1 + rng.normal(0, spread)
    red, green, blue = (float(np.clip(c * brightness * (1 + rng.normal(0, 0.3 * spread)), 0.02, 0.95)) for c in colour)
    return red, green, blue


def leaf_look(look: PlantLook, rng: np.random.Generator) -> PlantLook:
    """Return the look of one leaf of a plant."""
    return replace(look, adaxial=jittered(look.adaxial, rng, 0.09), abaxial=jittered(look.abaxial, rng, 0.07))
