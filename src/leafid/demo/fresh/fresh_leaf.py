"""One fresh leaf as pixels: colour, coverage and curves, bent in space and lit."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from leafid.demo.fresh.brush import Brush, blot, coverage_share
from leafid.demo.fresh.forms import LENGTH, LeafForm
from leafid.demo.fresh.light import Light
from leafid.demo.fresh.looks import FreshLook, PlantLook, varied
from leafid.demo.fresh.polygons import area, area_in_frame, frame_box
from leafid.demo.fresh.surface import Pose, Surface
from leafid.demo.leaf import Image32, fill
from leafid.demo.outline import Points
from leafid.demo.traits import Face


@dataclass(frozen=True)
class Patch:
    """Pixels to be laid on a picture; `offset` is the column and row of the upper left corner there."""

    image: Image32
    """[h, w, 3] RGB, 0..1; meaningless where `alpha` is 0."""
    alpha: Image32
    """[h, w] coverage 0..1."""
    offset: tuple[int, int]


@dataclass(frozen=True)
class FreshLeaf:
    """A leaf drawn for a picture. Curves in pixels of the picture, those of the leaf as it was before it was folded."""

    patch: Patch
    whole: Image32
    """[h, w] coverage of the whole blade, holes and what a fold hides included; same patch as `patch`."""
    whole_area: float
    """Area of the whole blade in pixels, also outside the frame."""
    outside: float
    """Share of that area that lies outside the frame."""
    face: Face
    folded: bool
    midrib: Points
    left: tuple[Points, ...]
    right: tuple[Points, ...]
    facing: float
    """Area of the blade as seen, relative to that of the blade laid flat before the camera."""
    vein_px: float
    """Width of a secondary at its beginning."""


def draw_fresh_leaf(
    form: LeafForm,
    look: PlantLook,
    face: Face,
    pose: Pose,
    light: Light,
    frame: tuple[int, int],
    rng: np.random.Generator,
    *,
    flap: bool = False,
) -> FreshLeaf | None:
    """Draw the part of a blade that lies in a frame [H, W].

    A fold of more than a quarter turn in `pose` lays one half under the other; `flap` turns a part over the rest.

    Returns:
        The leaf, or nothing where no pixel of it lies in the frame.
    """
    surface = Surface(pose, form.width)
    outline = surface.to_px(form.outline)
    y = np.linspace(0, LENGTH, 41)
    axis = np.stack([np.zeros_like(y), y], axis=1)
    box = frame_box(outline, frame)
    if box is None:
        return None
    own = {side: _own_look(look.face(side), rng) for side in ("adaxial", "abaxial")}
    other: Face = "abaxial" if face == "adaxial" else "adaxial"
    halves = _halves(form.outline, axis)
    hidden = [i for i in (0, 1) if abs(pose.fold[i]) > np.pi / 2]
    brush = Brush(form, surface, light, box, rng)
    if hidden:
        under = hidden[0]
        below, below_alpha = brush.paint(surface.to_px(halves[under]), own[other], under)
        image, alpha = brush.paint(surface.to_px(halves[1 - under]), own[face], 1 - under)
        image = np.asarray(image * alpha[..., None] + below * 0.8 * (1 - alpha[..., None]), dtype=np.float32)
        alpha = np.maximum(alpha, below_alpha)
    else:
        image, alpha = brush.paint(outline, own[face])
    whole = alpha
    if flap:
        back, _ = brush.paint(outline, own[other])
        image, alpha = _turned_over(image, back, alpha, surface, form, box, rng)
        whole = np.maximum(whole, alpha)
    for _ in range(own[face].holes):
        hole = surface.to_px(blot(form, rng, rng.uniform(0.004, 0.02))) - box[:2]
        gone = np.zeros(alpha.shape, np.uint8)
        fill(gone, hole, 255)
        stays = 1 - coverage_share(gone)
        alpha = alpha * stays
    polygons = [surface.to_px(part) for part in halves] if hidden else [outline]
    whole_area = sum(area(polygon) for polygon in polygons)
    return FreshLeaf(
        patch=Patch(image, alpha, (int(box[0]), int(box[1]))),
        whole=whole,
        whole_area=whole_area,
        outside=1 - area_in_frame(polygons, frame) / max(whole_area, 1e-9),
        face=face,
        folded=flap or bool(hidden),
        midrib=surface.to_px(axis),
        left=brush.left,
        right=brush.right,
        facing=whole_area / (area(form.outline) * pose.scale**2),
        vein_px=own[face].vein_width * LENGTH * pose.scale,
    )


def _own_look(look: FreshLook, rng: np.random.Generator) -> FreshLook:
    return replace(look, blade=varied(look.blade, rng), vein=varied(look.vein, rng, 0.03))


def _halves(outline: Points, axis: Points) -> tuple[Points, Points]:
    """Return the closed outlines of the left and the right half."""
    apex = int(outline[:, 1].argmax())
    return np.concatenate([outline[apex:], axis]), np.concatenate([outline[: apex + 1], axis[::-1]])


def _turned_over(
    image: Image32,
    back: Image32,
    alpha: Image32,
    surface: Surface,
    form: LeafForm,
    box: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[Image32, Image32]:
    """Turn the apex, or a part of one side, over the rest, so that its other face is seen."""
    if rng.random() < 0.55:
        point, outward = np.array([0.0, rng.uniform(0.6, 0.88) * LENGTH]), np.array([rng.normal(0, 0.5), 1.0])
    else:
        side = rng.choice([-1, 1])
        point = np.array([side * rng.uniform(0.15, 0.36) * form.width, rng.uniform(0.35, 0.6) * LENGTH])
        outward = np.array([side * 1.0, rng.normal(0, 0.35)])
    ends = surface.to_px(np.stack([point, point + outward])) - box[:2]
    normal = (ends[1] - ends[0]) / max(float(np.hypot(*(ends[1] - ends[0]))), 1e-9)
    offset = float(ends[0] @ normal)
    mirror = np.concatenate([np.eye(2) - 2 * np.outer(normal, normal), 2 * offset * normal[:, None]], axis=1)
    height, width = alpha.shape
    distance = np.add.outer(np.arange(height) * normal[1], np.arange(width) * normal[0]) - offset
    beyond = np.clip(distance + 0.5, 0, 1).astype(np.float32)
    flap = cv2.warpAffine(alpha, mirror, (width, height)) * (1 - beyond)
    turned = cv2.warpAffine(back, mirror, (width, height))
    shade = 1 - 0.35 * cv2.GaussianBlur(flap, (0, 0), max(0.012 * surface.pose.scale * LENGTH, 0.5))
    image = image * shade[..., None] * (1 - flap[..., None]) + turned * flap[..., None]
    return np.asarray(image, dtype=np.float32), np.maximum(alpha * (1 - beyond), flap).astype(np.float32)


def blurred(leaf: FreshLeaf, sigma: float, factor: int) -> Patch:
    """Return a leaf far from the focus, enlarged `factor` times; `sigma` is the blur in pixels after that."""
    patch = leaf.patch
    rim = int(3 * sigma / factor) + 1
    alpha = cv2.copyMakeBorder(patch.alpha, rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=0)
    image = cv2.copyMakeBorder(patch.image * patch.alpha[..., None], rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=0)
    layers = cv2.GaussianBlur(np.dstack([image, alpha]), (0, 0), sigma / factor)
    layers = cv2.resize(layers, (alpha.shape[1] * factor, alpha.shape[0] * factor), interpolation=cv2.INTER_LINEAR)
    colour = layers[..., :3] / np.maximum(layers[..., 3:], 1e-3)
    corner = (int((patch.offset[0] - rim) * factor), int((patch.offset[1] - rim) * factor))
    return Patch(np.asarray(colour, np.float32), np.asarray(layers[..., 3], np.float32), corner)
