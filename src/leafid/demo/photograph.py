"""A drawn photograph: leaves of any form on any ground, and the exact truth about every leaf in focus.

Width of variation counts for more than likeness: what is trained on pictures of this kind must not rely on anything
that real pictures do not share (domain randomisation, Ward & Moghadam 2020).
"""

import cv2
import numpy as np

from leafid.demo.fresh.light import sample_light
from leafid.demo.photographs.arrangements import ARRANGEMENTS, out_of_focus
from leafid.demo.photographs.camera import photographed
from leafid.demo.photographs.grounds import GROUNDS
from leafid.demo.photographs.negatives import NEGATIVES
from leafid.demo.photographs.scene import Scene
from leafid.demo.photographs.seen import seen_leaf
from leafid.demo.photographs.stage import Stage
from leafid.demo.photographs.things import put_border, put_watermark
from leafid.demo.photographs.truth import DrawnPhotograph, PhotographedLeaf
from leafid.errors import UsageError

__all__ = ["LARGEST", "SMALLEST", "DrawnPhotograph", "PhotographedLeaf", "draw_photograph"]

SMALLEST, LARGEST = 150, 4000
"""Range of the long side in pixels."""

_FREE = {"pair", "whorl", "shoot", "compound", "close", "hedge", "held"}  # seldom laid on a table
_GROUND_SHARES = {
    "white": 0.2, "black": 0.1, "paper": 0.1, "colour": 0.06, "wood": 0.12, "cloth": 0.09, "soil": 0.09, "stone": 0.06,
    "sky": 0.03, "foliage": 0.12, "grass": 0.03,
}  # fmt: skip


def draw_photograph(seed: int, *, long_side: int | None = None, arrangement: str | None = None) -> DrawnPhotograph:
    """Draw a photograph. The same seed and size always give the same arrays; other sizes show about the same scene.

    Args:
        seed: 0 or more.
        long_side: of the image in pixels, 150 to 4000; sampled from that range (logarithmically) if not given.
        arrangement: how leaves lie, one of `ARRANGEMENTS` or `NEGATIVES`; sampled if not given.

    Raises:
        UsageError: a number is out of its range, or there is no such arrangement.
    """
    if seed < 0:
        raise UsageError(f"The seed of a drawn photograph is {seed}; give 0 or more.")
    if long_side is not None and not SMALLEST <= long_side <= LARGEST:
        raise UsageError(f"A drawn photograph has a long side of {SMALLEST} to {LARGEST} pixels, not {long_side}.")
    known = [*ARRANGEMENTS, *NEGATIVES]
    if arrangement is not None and arrangement not in known:
        raise UsageError(
            f"There is no arrangement {arrangement!r} of a drawn photograph; give one of {', '.join(known)}."
        )
    # The scene does not depend on the size; what is drawn pixel by pixel takes its chance from another stream.
    rng, pixels = (np.random.default_rng(s) for s in np.random.SeedSequence([seed, 17]).spawn(2))
    sampled = round(float(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST)))))
    shape = _frame(long_side or sampled, rng)
    arrangement = arrangement or _arrangement(rng)
    cut_out = rng.random() < 0.1
    ground = _ground(arrangement, cut_out, rng)
    light = sample_light(rng)
    floating = cut_out or ground in ("sky", "foliage")
    stage = Stage(GROUNDS[ground](shape, pixels), light, floating=floating)
    scene = Scene(stage, rng, pixels)
    if ground in ("foliage", "sky", "grass") and rng.random() < 0.6:
        out_of_focus(scene, int(rng.integers(1, 8)), sharp=0.014)
    if arrangement in NEGATIVES:
        NEGATIVES[arrangement](scene)
    else:
        ARRANGEMENTS[arrangement][0](scene)
    if ground == "foliage" and rng.random() < 0.15:
        out_of_focus(scene, int(rng.integers(1, 3)), sharp=0.03)
    if cut_out:
        _frayed(stage, rng)
    if rng.random() < 0.04:
        put_border(scene)
    if rng.random() < 0.06:
        put_watermark(scene)
    image = photographed(stage.image, stage.owner > 0, pixels)
    leaves = tuple(leaf for laid in stage.leaves if (leaf := seen_leaf(laid, stage.owner, image)) is not None)
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
