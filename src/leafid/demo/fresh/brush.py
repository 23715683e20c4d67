"""Paints the faces of one bent leaf: veins, relief, slope to the light, colours."""

import cv2
import numpy as np
import numpy.typing as npt

from leafid.demo.fresh.forms import LENGTH, LeafForm
from leafid.demo.fresh.light import Light, lit
from leafid.demo.fresh.looks import FreshLook
from leafid.demo.fresh.surface import Surface
from leafid.demo.leaf import Image8, Image32, fill, fixed_point, smooth_noise, taper
from leafid.demo.outline import Points

_COARSE = 4  # the slope of the bent blade changes slowly: it is drawn at a quarter of the scale


def mapped(surface: Surface, lines: tuple[Points, ...]) -> tuple[Points, ...]:
    """Return lines of the blade in pixels."""
    if not lines:
        return ()
    ends = np.cumsum([len(line) for line in lines])[:-1]
    return tuple(np.split(surface.to_px(np.concatenate(lines)), ends))


def coverage_share(layer: Image8) -> Image32:
    """Turn coverage in 0..255 into a share 0..1."""
    return np.asarray(layer.astype(np.float32) / 255, dtype=np.float32)


def blot(form: LeafForm, rng: np.random.Generator, size: float) -> Points:
    """Return a roundish blot [M, 2] somewhere on the blade; `size` is relative to the blade's length."""
    y = rng.uniform(0.12, 0.9) * LENGTH
    x = rng.uniform(-0.8, 0.8) * form.width / 2 * np.sin(np.pi * np.clip(y / LENGTH, 0.1, 0.9))
    angle = np.linspace(0, 2 * np.pi, 15)[:-1]
    radius = size * LENGTH * rng.uniform(0.7, 1.3, 14)
    return np.stack([x + radius * np.cos(angle), y + radius * rng.uniform(0.6, 1) * np.sin(angle)], axis=1)


class Brush:
    """Paints faces of one leaf; veins, relief and slope are drawn once."""

    def __init__(
        self,
        form: LeafForm,
        surface: Surface,
        light: Light,
        box: npt.NDArray[np.int64],
        rng: np.random.Generator,
    ) -> None:
        self.form, self.surface, self.light, self.rng = form, surface, light, rng
        self.corner = box[:2]
        self.shape = (int(box[3] - box[1]), int(box[2] - box[0]))
        self.scale = surface.pose.scale
        self.length = self.scale * LENGTH
        self.left, self.right = (mapped(surface, lines) for lines in (form.left, form.right))

    @property
    def secondaries(self) -> tuple[Points, ...]:
        """All secondaries in pixels of the picture."""
        return self.left + self.right

    def paint(self, polygon: Points, look: FreshLook, half: int | None = None) -> tuple[Image32, Image32]:
        """Return image [h, w, 3] and coverage [h, w] of the blade, or of its left (0) or right (1) half."""
        coverage = np.zeros(self.shape, np.uint8)
        fill(coverage, polygon - self.corner, 255)
        alpha = coverage_share(coverage)
        midrib, veins, minor = self._veins(look)
        slope_x, slope_y = self._relief(midrib, veins, minor, look)
        bent = self._bent(half)
        matt, shine = lit(slope_x + bent[..., 0], slope_y + bent[..., 1], self.light, look.gloss, look.sharpness)
        colour = self._colours(coverage, midrib, veins, minor, look)
        image = colour * (matt[..., None] * np.array(self.light.colour, np.float32))
        image += shine[..., None] * np.array(self.light.shine, np.float32)
        return np.asarray(np.clip(image, 0, 1), dtype=np.float32), alpha

    def _veins(self, look: FreshLook) -> tuple[Image32, Image32, Image32]:
        """Draw midrib, secondaries and lesser veins on layers [h, w] of their own, 0..1."""
        layers = np.zeros((3, *self.shape), np.uint8)
        y = np.linspace(0, LENGTH, 41)
        midrib = self.surface.to_px(np.stack([np.zeros_like(y), y], axis=1)) - self.corner
        _stroke(layers[0], midrib, look.midrib_width * self.length, 0.15 * look.midrib_width * self.length)
        width = look.vein_width * self.length
        for line in self.secondaries:
            _stroke(layers[1], line - self.corner, width, 0.3 * width, float(self.rng.uniform(look.faintest, 1)))
        if self.form.weak:
            weak = np.zeros(self.shape, np.uint8)
            for line in mapped(self.surface, self.form.weak):
                _stroke(weak, line - self.corner, look.weak_width * width, 0.2 * width)
            np.maximum(layers[1], (weak * look.weak_contrast).astype(np.uint8), out=layers[1])
        if look.minor_contrast > 0 and self.form.minor:
            width = look.minor_width * self.length
            thickness = max(round(width), 1)
            lines = [fixed_point(line - self.corner) for line in mapped(self.surface, self.form.minor)]
            strength = 255 * min(width / thickness, 1.0)
            cv2.polylines(layers[2], lines, False, (strength,), thickness, cv2.LINE_AA, 4)
        return coverage_share(layers[0]), coverage_share(layers[1]), coverage_share(layers[2])

    def _relief(self, midrib: Image32, veins: Image32, minor: Image32, look: FreshLook) -> tuple[Image32, Image32]:
        """Slopes [h, w] of veins and of the blade that is raised between them."""
        pairs = (len(self.form.left) + len(self.form.right)) / 2
        gap = max(0.8 * self.length / pairs, 2.0)  # between secondaries, in pixels
        lines = np.maximum(midrib, veins)
        height = look.relief * look.vein_width * self.length * (lines + 0.4 * minor)
        if abs(look.quilt) > 0.05:
            away = cv2.distanceTransform((lines < 0.3).astype(np.uint8), cv2.DIST_L2, 3)
            bulge = np.sin(np.minimum(away / (0.55 * gap), 1) * np.float32(np.pi / 2))
            height += look.quilt * 0.32 * gap * cv2.GaussianBlur(bulge, (0, 0), max(0.07 * gap, 0.5))
        grain = 0.02 * self.length
        height += 0.006 * self.length * look.mottle * smooth_noise(self.rng, self.shape, 4 * grain)
        if look.grain > 0.65:
            height += 0.07 * grain * look.grain * smooth_noise(self.rng, self.shape, max(0.45 * grain, 1.2))
        height = np.asarray(cv2.GaussianBlur(height, (0, 0), 0.6), dtype=np.float32)
        return (
            np.asarray(cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8), dtype=np.float32),
            np.asarray(cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8), dtype=np.float32),
        )

    def _bent(self, half: int | None) -> Image32:
        """Slope [h, w, 2] of the bent blade; both halves apart, so that the fold at the midrib stays sharp."""
        if half is not None:
            return self._half_slope(half)
        sides = [self._half_slope(side) for side in (0, 1)]
        y = np.linspace(-0.3, 1.1, 50) * LENGTH
        reach = 0.9 * self.form.width
        ring = np.concatenate(
            [np.stack([np.zeros_like(y), y], axis=1), np.stack([np.full_like(y, -reach), y], axis=1)[::-1]]
        )
        left = np.zeros(self.shape, np.uint8)
        fill(left, self.surface.to_px(ring) - self.corner, 255)
        share = (cv2.GaussianBlur(left, (0, 0), max(0.006 * self.length, 0.6)).astype(np.float32) / 255)[..., None]
        return np.asarray(sides[0] * share + sides[1] * (1 - share), dtype=np.float32)

    def _half_slope(self, side: int) -> Image32:
        """Slope [h, w, 2] of one half, drawn coarsely cell by cell and smoothed."""
        along = np.linspace(-0.12, 1.04, 24) * LENGTH
        across = np.linspace(0, 0.62, 6) * self.form.width * (1 if side else -1)
        grid = np.stack(np.meshgrid(across, along), axis=-1)  # [24, 6, 2]
        corners = (self.surface.to_px(grid.reshape(-1, 2)) - self.corner).reshape(grid.shape) / _COARSE
        centres = (grid[1:, 1:] + grid[:-1, :-1]) / 2
        slopes = self.surface.slopes(centres.reshape(-1, 2)).reshape(centres.shape)
        shape = (self.shape[0] // _COARSE + 2, self.shape[1] // _COARSE + 2)
        layer = np.zeros((*shape, 3), np.float32)
        cells = np.stack([corners[:-1, :-1], corners[:-1, 1:], corners[1:, 1:], corners[1:, :-1]], axis=2)
        cells = np.round(cells * 16).reshape(-1, 4, 2).astype(np.int32)
        for cell, (x, y) in zip(cells, slopes.reshape(-1, 2).tolist(), strict=True):
            cv2.fillConvexPoly(layer, cell, (x, y, 1.0), cv2.LINE_8, 4)
        smooth = cv2.GaussianBlur(layer, (0, 0), max(0.03 * self.length / _COARSE, 0.8))
        smooth = smooth[..., :2] / np.maximum(smooth[..., 2:], 1e-3)
        full = cv2.resize(smooth, (shape[1] * _COARSE, shape[0] * _COARSE), interpolation=cv2.INTER_LINEAR)
        return np.asarray(full[: self.shape[0], : self.shape[1]], dtype=np.float32)

    def _colours(self, coverage: Image8, midrib: Image32, veins: Image32, minor: Image32, look: FreshLook) -> Image32:
        """Colours [h, w, 3] of the blade before it is lit."""
        rng, grain = self.rng, 0.02 * self.length
        tone = 1 + 0.07 * look.mottle * smooth_noise(rng, self.shape, 8 * grain)
        tone += 0.05 * look.grain * smooth_noise(rng, self.shape, max(0.6 * grain, 1.0))
        blade, vein = np.array(look.blade, np.float32), np.array(look.vein, np.float32)
        colour = blade * tone[..., None]
        if look.halo:
            beside = cv2.GaussianBlur(np.maximum(veins, midrib), (0, 0), max(0.012 * self.length, 0.6))
            share = np.minimum(2.5 * beside, 1) * look.halo
            colour += share[..., None] * (vein - blade)
        if look.margin:
            inner = cv2.GaussianBlur(coverage, (0, 0), max(0.008 * self.length, 0.6)).astype(np.float32) / 255
            colour += (look.margin * np.clip(2 - 2 * inner, 0, 1))[..., None] * (vein - blade)
        for _ in range(look.spots):
            colour = self._spotted(colour)
        for layer, contrast, own in (
            (minor, look.minor_contrast, vein),
            (veins, look.vein_contrast, vein),
            (midrib, look.midrib_contrast, np.array(look.midrib, np.float32)),
        ):
            colour += (layer * contrast)[..., None] * (own - colour)
        return np.asarray(colour, dtype=np.float32)

    def _spotted(self, colour: Image32) -> Image32:
        rng = self.rng
        size = float(np.exp(rng.uniform(np.log(0.005), np.log(0.06))))
        layer = np.zeros(self.shape, np.uint8)
        fill(layer, self.surface.to_px(blot(self.form, rng, size)) - self.corner, 255)
        soft = cv2.GaussianBlur(layer, (0, 0), max(size * self.length * rng.uniform(0.1, 0.8), 0.5))
        own = np.array([rng.uniform(0.2, 0.95), rng.uniform(0.15, 0.8), rng.uniform(0.05, 0.3)], np.float32)
        share = (soft.astype(np.float32) / 255 * rng.uniform(0.3, 1.0))[..., None]
        return np.asarray(colour + share * (own - colour), dtype=np.float32)


def _stroke(layer: Image8, line: Points, start: float, end: float, contrast: float = 1.0) -> None:
    """Draw a tapering line; one that is thinner than a pixel is drawn a pixel wide and fainter."""
    strength = min(max(start, 0.15), 1.0) * 255 * contrast
    polygon = taper(line, max(start, 1.0), max(end, min(start, 0.8)))
    own = np.zeros_like(layer) if strength < 254 else layer
    fill(own, polygon, strength)
    if own is not layer:
        np.maximum(layer, own, out=layer)
