"""A drawn photograph: leaves of any form on any ground, and the exact truth about every leaf in focus.

Width of variation counts for more than likeness: what is trained on pictures of this kind must not rely on anything
that real pictures do not share (domain randomisation, Ward & Moghadam 2020).
"""

import cv2
import numpy as np
import numpy.typing as npt

from leafid.demo.leaf import Image8
from leafid.demo.outline import Points
from leafid.demo.photographs.arrangements import ARRANGEMENTS
from leafid.demo.photographs.camera import photographed
from leafid.demo.photographs.grounds import GROUNDS
from leafid.demo.photographs.light import sample_light
from leafid.demo.photographs.negatives import NEGATIVES
from leafid.demo.photographs.scene import Scene
from leafid.demo.photographs.stage import LaidLeaf, Stage
from leafid.demo.photographs.truth import DrawnPhotograph, PhotographedLeaf
from leafid.errors import UsageError

SMALLEST, LARGEST = 150, 4000
"""Range of the long side in pixels."""

_FREE = {"pair", "whorl", "shoot", "compound", "close", "hedge", "held"}  # seldom laid on a table
_GROUND_SHARES = {
    "white": 0.2, "black": 0.1, "paper": 0.1, "colour": 0.06, "wood": 0.12, "cloth": 0.09, "soil": 0.09, "stone": 0.06,
    "sky": 0.03, "foliage": 0.12, "grass": 0.03,
}  # fmt: skip


def draw_photograph(seed: int, *, long_side: int | None = None) -> DrawnPhotograph:
    """Draw a photograph. The same seed and size always give the same arrays; other sizes show about the same scene.

    Args:
        seed: 0 or more.
        long_side: of the image in pixels, 150 to 4000; sampled from that range (logarithmically) if not given.

    Raises:
        UsageError: a number is out of its range.
    """
    if seed < 0:
        raise UsageError(f"The seed of a drawn photograph is {seed}; give 0 or more.")
    if long_side is not None and not SMALLEST <= long_side <= LARGEST:
        raise UsageError(f"A drawn photograph has a long side of {SMALLEST} to {LARGEST} pixels, not {long_side}.")
    # The scene does not depend on the size; what is drawn pixel by pixel takes its chance from another stream.
    rng, pixels = (np.random.default_rng(s) for s in np.random.SeedSequence([seed, 17]).spawn(2))
    sampled = round(float(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST)))))
    shape = _frame(long_side or sampled, rng)
    arrangement = _arrangement(rng)
    cut_out = rng.random() < 0.1
    ground = _ground(arrangement, cut_out, rng)
    light = sample_light(rng)
    stage = Stage(GROUNDS[ground](shape, pixels), light, shadows=not cut_out and ground not in ("sky", "foliage"))
    scene = Scene(stage, rng, pixels)
    if arrangement in NEGATIVES:
        NEGATIVES[arrangement](scene)
    else:
        ARRANGEMENTS[arrangement][0](scene)
    if cut_out:
        _frayed(stage, rng)
    image = photographed(stage.image, pixels)
    leaves = tuple(leaf for laid in stage.leaves if (leaf := _truth(laid, stage.owner, image)) is not None)
    return DrawnPhotograph(image, leaves, arrangement, "cut out" if cut_out else ground)


def _frame(long_side: int, rng: np.random.Generator) -> tuple[int, int]:
    """Return height and width."""
    ratio = float(rng.choice([1.0, 4 / 3, 3 / 2, 16 / 9, rng.uniform(1.0, 2.2)]))
    short = max(round(long_side / ratio), 64)
    return (long_side, short) if rng.random() < 0.5 else (short, long_side)


def _arrangement(rng: np.random.Generator) -> str:
    names = [*ARRANGEMENTS, "none"]
    shares = [share for _, share in ARRANGEMENTS.values()]
    name = str(rng.choice(names, p=[*shares, 1 - sum(shares)]))
    return str(rng.choice(list(NEGATIVES))) if name == "none" else name


def _ground(arrangement: str, cut_out: bool, rng: np.random.Generator) -> str:
    if cut_out:
        return str(rng.choice(["white", "black"]))
    if arrangement in _FREE and rng.random() < 0.6:
        return str(rng.choice(["foliage", "sky", "soil", "grass", "black"], p=[0.65, 0.1, 0.1, 0.07, 0.08]))
    names = list(_GROUND_SHARES)
    return str(rng.choice(names, p=np.array(list(_GROUND_SHARES.values())) / sum(_GROUND_SHARES.values())))


def _frayed(stage: Stage, rng: np.random.Generator) -> None:
    """Composite as a transparent picture is: pure ground, and a rim of another colour where it was cut out badly."""
    pure = np.float32(1.0 if stage.image[0, 0].mean() > 0.5 else 0.0)
    bare = stage.owner == 0
    if rng.random() < 0.5:
        rim = max(int(rng.uniform(0.001, 0.006) * min(stage.shape)), 1)
        near = cv2.dilate((~bare).astype(np.uint8), np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)) > 0
        stage.image[near & bare] = 1 - pure if rng.random() < 0.5 else np.float32(rng.random())
        bare = bare & ~near
    stage.image[bare] = pure


def _truth(laid: LaidLeaf, owner: npt.NDArray[np.int16], image: Image8) -> PhotographedLeaf | None:
    """Return what is known of a leaf, or nothing where too little of it is seen to be asked for."""
    leaf, patch = laid.leaf, laid.leaf.patch
    column, row = patch.offset
    height, width = owner.shape
    h, w = patch.alpha.shape
    top, left, bottom, right = max(row, 0), max(column, 0), min(row + h, height), min(column + w, width)
    if top >= bottom or left >= right:
        return None
    inner = np.s_[top - row : bottom - row, left - column : right - column]
    visible = owner[top:bottom, left:right] == laid.number
    whole = (leaf.whole[inner] >= 0.5) | visible
    shown = np.argwhere(visible)
    if len(shown) < 12 or np.ptp(shown, axis=0).max() + 1 < 0.05 * min(height, width):
        return None
    present = patch.alpha[inner] >= 0.5
    seen, inside = float(visible.sum()), float(whole.sum())
    area = max(leaf.whole_area, inside)
    cut = min(top - row, 3) + min(left - column, 3) > 0 or right < column + w or bottom < row + h
    return PhotographedLeaf(
        offset=(left, top),
        visible=visible,
        whole=whole,
        visible_fraction=min(seen / area, 1.0),
        cut_by_frame=bool(cut and inside < 0.99 * leaf.whole_area),
        overlapped=bool(seen < 0.9 * present.sum()),
        folded=leaf.folded,
        face=leaf.face,
        base_xy=leaf.midrib[0],
        apex_xy=leaf.midrib[-1],
        petiole=laid.petiole,
        midrib=leaf.midrib,
        left=leaf.left,
        right=leaf.right,
        veins_visible=_contrast(leaf.left + leaf.right, visible, (left, top), leaf.vein_px, image),
    )


def _contrast(
    lines: tuple[Points, ...],
    visible: npt.NDArray[np.bool_],
    offset: tuple[int, int],
    vein_px: float,
    image: Image8,
) -> float:
    """Colour difference between seen secondaries and the blade on both sides of them, 1 for 20 or more (L*a*b*).

    Means over each vein are compared, so that noise does not count as contrast; a vein that only parts light from
    shade counts by half the difference of its sides.
    """
    height, width = visible.shape
    area = image[offset[1] : offset[1] + height, offset[0] : offset[0] + width]
    lab = cv2.cvtColor(area.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    aside = max(1.5 * vein_px, 1.5)
    differences = []
    for line in lines:
        inner = line[len(line) // 8 : max(7 * len(line) // 8, 4)] - offset
        if len(inner) < 3:
            continue
        tangent = np.gradient(inner, axis=0)
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
        normal /= np.maximum(np.hypot(*normal.T), 1e-9)[:, None]
        spots = np.stack([inner, inner + aside * normal, inner - aside * normal]).astype(int)  # [3, N, 2]
        within = ((spots >= 0) & (spots < (width, height))).all(axis=(0, 2))
        spots = spots[:, within]
        if spots.shape[1] < 3:
            continue
        seen = visible[spots[..., 1], spots[..., 0]].all(axis=0)
        if seen.sum() < 3:
            continue
        vein, one, other = lab[spots[:, seen, 1], spots[:, seen, 0]].mean(axis=1)
        edge = np.linalg.norm(one - other) / 2
        differences.append(float(np.hypot(np.linalg.norm(vein - (one + other) / 2), 0.5 * edge)))
    return min(float(np.mean(differences)) / 20, 1.0) if differences else 0.0
