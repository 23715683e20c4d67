"""Forms of leaves far beyond one genus: outline, margin and veins, sampled without looking at any flora.

All lengths are relative: the midrib of every blade is 100 long.
"""

from dataclasses import dataclass, replace

import numpy as np

from leafid.demo.fresh.margins import inside, lobed, of_side, palmate, toothed
from leafid.demo.fresh.veins import VeinHabit, run_veins
from leafid.demo.outline import Points, blade_outline
from leafid.demo.taxa import APEX_FORMS, BASE_FORMS
from leafid.demo.traits import LeafTraits

LENGTH = 100.0


@dataclass(frozen=True)
class LeafForm:
    """The geometry of one leaf before it is bent, turned and seen; x right and y along the midrib, base at (0, 0)."""

    outline: Points
    """[N, 2] closed, beginning at the insertion of the petiole, right side first."""
    left: tuple[Points, ...]
    right: tuple[Points, ...]
    minor: tuple[Points, ...]
    weak: tuple[Points, ...]
    """Veins that are stronger than tertiaries but no secondaries: intersecondaries, branches of secondaries."""
    width: float
    petiole: float
    """Length of the petiole."""
    undulation: float
    """How much the blade waves up and down towards its margin, relative to its half-width."""


@dataclass(frozen=True)
class Plant:
    """What the leaves of one plant share; `sample_plant` gives one, `sample_leaf` its leaves."""

    ratio: float
    widest: float
    shape: str
    apex_form: str
    base_form: str
    tip: float
    pairs: int
    habit: VeinHabit
    teeth: float
    """Height of the teeth relative to the half-width; 0 for an entire margin."""
    teeth_number: int
    teeth_form: str
    """`serrate`, `crenate` or `ragged`."""
    lobes: float
    """Depth of lobes relative to the half-width (pinnate) or the radius (palmate); 0 for none."""
    palmate: int
    """Number of main veins from the base: 3, 5 or 7, or 0 where there is one only."""
    petiole: float
    undulation: float


def sample_plant(rng: np.random.Generator) -> Plant:
    """Sample the form that the leaves of one plant share. A third resembles *Mitragyna* and *Coffea*."""
    mitragynoid = rng.random() < 0.35
    ratio = float(np.clip(np.exp(rng.normal(0.55, 0.25) if mitragynoid else rng.normal(0.62, 0.45)), 0.75, 6.5))
    if not mitragynoid and rng.random() < 0.2:  # as broad as long
        ratio = float(rng.uniform(0.75, 1.3))
    pairs = int(rng.integers(8, 18)) if mitragynoid else int(np.clip(np.exp(rng.normal(2.1, 0.45)), 3, 20))
    # Steep veins cannot fill a broad blade.
    angle = float(np.clip(rng.normal(58, 13), max(28, np.degrees(np.arctan(1.1 / ratio))), 86))
    course = rng.random()
    if course < 0.3:  # ends in the margin
        turn, reach, loop = rng.uniform(-6, 18), rng.uniform(0.93, 1.0), 0.0
    elif course < 0.7:  # fades along the margin
        turn, reach, loop = rng.uniform(10, 50), rng.uniform(0.88, 0.97), rng.uniform(0.1, 0.6)
    else:  # loops
        turn, reach, loop = rng.uniform(0, 35), rng.uniform(0.72, 0.93), rng.uniform(0.8, 1.0)
    toothed = not mitragynoid and rng.random() < 0.35
    lobed = not mitragynoid and not toothed and pairs <= 8 and rng.random() < 0.3
    main_veins = int(rng.choice([3, 5, 7])) if not mitragynoid and rng.random() < 0.05 else 0
    habit = VeinHabit(
        pairs=(pairs, pairs),
        angle=angle,
        angle_gradient=float(rng.normal(6, 14)),
        turn=float(min(turn, angle - 15)),
        reach=float(reach),
        loop=float(loop),
        first=float(rng.uniform(0.0, 0.10)),
        last=float(rng.uniform(0.78, 0.96)),
        crowding=float(rng.uniform(-0.1, 0.5)),
        jitter=float(rng.choice([0.04, 0.1, 0.2])),
        shift=float(rng.choice([0.0, 0.15, 0.5]) * rng.choice([-1, 1])),
        unevenness=float(rng.choice([0.7, 1.5, 3.0])),
        strong_base=not mitragynoid and bool(rng.random() < 0.15),
        tertiaries=str(rng.choice(["ladder", "net", "none"], p=[0.45, 0.4, 0.15])),
        intersecondaries=float(rng.choice([0.0, 0.15, 0.5, 0.9], p=[0.35, 0.3, 0.2, 0.15])),
        forks=float(rng.choice([0.0, 0.15, 0.5], p=[0.5, 0.3, 0.2])),
        faint_ends=int(rng.choice([0, 1, 3], p=[0.4, 0.3, 0.3])),
    )
    return Plant(
        ratio=ratio,
        widest=float(np.clip(rng.normal(0.47, 0.05 if mitragynoid else 0.12), 0.2, 0.75)),
        shape=str(rng.choice(["elliptic", "oblong"], p=[0.8, 0.2])),
        apex_form=str(rng.choice(APEX_FORMS, p=[0.15, 0.15, 0.25, 0.45])),
        base_form=str(rng.choice(BASE_FORMS)),
        tip=float(rng.uniform(2, 16)),
        pairs=pairs,
        habit=habit,
        teeth=float(rng.uniform(0.02, 0.12)) if toothed else 0.0,
        teeth_number=int(rng.integers(8, 60)),
        teeth_form=str(rng.choice(["serrate", "crenate", "ragged"], p=[0.6, 0.25, 0.15])),
        lobes=float(rng.uniform(0.15, 0.65)) if lobed or main_veins else 0.0,
        palmate=main_veins,
        petiole=float(rng.choice([0.0, rng.uniform(2, 15), rng.uniform(15, 60)], p=[0.1, 0.5, 0.4])),
        undulation=float(rng.choice([0.0, rng.uniform(0, 0.1), rng.uniform(0.1, 0.3)], p=[0.3, 0.4, 0.3])),
    )


def sample_leaf(plant: Plant, rng: np.random.Generator) -> LeafForm:
    """Sample one leaf of a plant."""
    if plant.palmate:
        return _palmate_leaf(plant, rng)
    pairs = [int(np.clip(plant.pairs + rng.choice([-1, 0, 0, 1]), 3, 20)) for _ in range(2)]
    ratio = plant.ratio * float(np.exp(rng.normal(0, 0.07)))
    traits = LeafTraits(
        taxon="",
        length_mm=LENGTH,
        width_mm=LENGTH / ratio,
        shape=plant.shape,
        widest=float(np.clip(plant.widest + rng.normal(0, 0.02), 0.18, 0.78)),
        apex_form=plant.apex_form,
        tip_mm=plant.tip if plant.apex_form == "acuminate" else 0.0,
        base_form=plant.base_form,
        pairs_left=pairs[0],
        pairs_right=pairs[1],
        vein_angle_deg=plant.habit.angle,
        vein_curvature=1.0,
        tertiary_spacing_mm=3.0,
        petiole_mm=0.0,
        undulation=0.2 * plant.undulation * float(rng.uniform(0.2, 1)),
        bend_deg=0.0,
        asymmetry=float(np.clip(rng.normal(0, 0.03), -0.1, 0.1)),
    )
    blade = blade_outline(traits, rng)
    habit = replace(plant.habit, pairs=(pairs[0], pairs[1]))
    veins = run_veins(blade, habit, rng)
    left, right, minor, weak = veins.left, veins.right, veins.minor, veins.weak
    outline = blade.polygon()
    if plant.lobes:
        cut = {side: lobed(blade, side, line, plant.lobes) for side, line in ((-1, left), (1, right))}
        blade = replace(blade, y=cut[1][:, 1], left=cut[-1][:, 0], right=cut[1][:, 0])
        outline = blade.polygon()
        left, right = (inside(blade, side, lines) for side, lines in ((-1, left), (1, right)))
        minor, weak = (
            (*inside(blade, -1, of_side(lines, -1)), *inside(blade, 1, of_side(lines, 1))) for lines in (minor, weak)
        )
    elif plant.teeth:
        outline = toothed(outline, plant.teeth_number, plant.teeth * blade.width_mm() / 2, plant.teeth_form, rng)
    return LeafForm(
        outline=outline,
        left=left,
        right=right,
        minor=minor,
        weak=weak,
        width=blade.width_mm(),
        petiole=plant.petiole * float(rng.uniform(0.7, 1.3)),
        undulation=plant.undulation,
    )


def _palmate_leaf(plant: Plant, rng: np.random.Generator) -> LeafForm:
    outline, left, right, minor = palmate(plant.palmate, plant.lobes, LENGTH, rng)
    if plant.teeth:
        outline = toothed(outline, 2 * plant.teeth_number, 0.5 * plant.teeth * LENGTH, plant.teeth_form, rng)
    return LeafForm(
        outline=outline,
        left=left,
        right=right,
        minor=minor,
        weak=(),
        width=float(np.ptp(outline[:, 0])),
        petiole=plant.petiole * float(rng.uniform(0.7, 1.3)),
        undulation=0.0,
    )
