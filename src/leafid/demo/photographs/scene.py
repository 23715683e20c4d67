"""A scene: one plant under one light, whose leaves and stalks are put on the stage by the arrangements."""

from dataclasses import dataclass, replace

import numpy as np

from leafid.demo.fresh.forms import LENGTH, LeafForm, Plant, sample_leaf, sample_plant
from leafid.demo.fresh.fresh_leaf import blurred, draw_fresh_leaf
from leafid.demo.fresh.looks import PlantLook, sample_look, varied
from leafid.demo.fresh.surface import Pose, Surface
from leafid.demo.outline import Points
from leafid.demo.photographs.stage import Stage, curve, stalk
from leafid.demo.traits import Face


@dataclass(frozen=True)
class Habit:
    """How the leaves of a scene are bent and seen: spreads of the angles in radians, and shares."""

    bend: float
    curl: float
    fold: float
    tilt: float
    wave: float
    below: float
    """Share of leaves seen from beneath."""
    turned: float
    """Share of leaves of which a part is turned over."""
    halved: float
    """Share of leaves folded along the midrib."""
    lift: float
    """Height of a leaf above what is below, relative to its length."""


def sample_habit(rng: np.random.Generator) -> Habit:
    """Sample how leaves are bent: pressed flat, laid down, or free in the air."""
    loose = float(rng.choice([0.15, 0.6, 1.2]))
    return Habit(
        bend=0.18 * loose + 0.05,
        curl=0.45 * loose,
        fold=0.3 * loose,
        tilt=0.35 * loose,
        wave=loose * float(rng.uniform(0, 1.0)),
        below=float(rng.choice([0.0, 0.3, 1.0], p=[0.45, 0.4, 0.15])),
        turned=0.05,
        halved=0.04 if loose > 0.5 else 0.0,
        lift=float(rng.choice([0.003, 0.02, 0.06])),
    )


class Scene:
    """Puts leaves of one plant on a stage. Positions in pixels; directions in radians, 0 up, clockwise."""

    def __init__(self, stage: Stage, rng: np.random.Generator, pixels: np.random.Generator) -> None:
        self.stage, self.rng, self.pixels = stage, rng, pixels
        self.plant: Plant = sample_plant(rng)
        self.look: PlantLook = sample_look(rng)
        self.habit = sample_habit(rng)

    @property
    def height(self) -> int:
        """Height of the picture in pixels."""
        return self.stage.shape[0]

    @property
    def width(self) -> int:
        """Width of the picture in pixels."""
        return self.stage.shape[1]

    @property
    def short(self) -> int:
        """Short side of the picture in pixels."""
        return min(self.stage.shape)

    def another_plant(self) -> None:
        """Go on with leaves of another plant."""
        self.plant, self.look = sample_plant(self.rng), sample_look(self.rng)

    def form(self) -> LeafForm:
        """Return the form of one more leaf."""
        return sample_leaf(self.plant, self.rng)

    def pose(self, form: LeafForm, base: Points, direction: float, length: float) -> Pose:
        """Return how a leaf of this length in pixels is bent; no part of it hides another, unless it is folded."""
        pose = self._any_pose(base, direction, length)
        for _ in range(4):
            if self.rng.random() < self.habit.halved:
                folds = [pose.fold[0], pose.fold[1]]
                folds[int(self.rng.integers(2))] = float(-self.rng.uniform(2.0, 2.9))
                return replace(pose, fold=(folds[0], folds[1]))
            if Surface(pose, form.width).turned_share() == 0:
                return pose
            pose = self._any_pose(base, direction, length)
        return replace(pose, curl=0.0, fold=(0.0, 0.0), wave=0.0, pitch=0.0, roll=0.0)

    def _any_pose(self, base: Points, direction: float, length: float) -> Pose:
        rng, habit = self.rng, self.habit
        fold = rng.normal(0, habit.fold)
        left, right = (float(np.clip(fold + rng.normal(0, 0.4 * habit.fold), -0.9, 0.9)) for _ in range(2))
        return Pose(
            base=np.asarray(base, np.float64),
            direction=direction,
            scale=length / LENGTH,
            bend=float(rng.normal(0, habit.bend)),
            sway=float(rng.normal(0, 0.25 * habit.bend)),
            curl=float(np.clip(rng.normal(0, habit.curl), -1.2, 1.2)),
            fold=(left, right),
            wave=habit.wave * float(rng.uniform(0.0, 0.3)) if rng.random() < 0.6 else 0.0,
            wave_number=float(rng.uniform(2, 9)),
            wave_phase=float(rng.uniform(0, 2 * np.pi)),
            pitch=float(np.clip(rng.normal(0, habit.tilt), -0.95, 0.95)),
            roll=float(np.clip(rng.normal(0, habit.tilt), -0.8, 0.8)),
        )

    def put_leaf(
        self,
        base: Points,
        direction: float,
        length: float,
        *,
        node: Points | None = None,
        form: LeafForm | None = None,
        face: Face | None = None,
    ) -> None:
        """Put a leaf with its petiole; the petiole comes from `node`, or ends free behind the base."""
        form = form or self.form()
        face = face or ("abaxial" if self.rng.random() < self.habit.below else "adaxial")
        flap = self.rng.random() < self.habit.turned
        pose = self.pose(form, base, direction, length)
        heading = np.array([np.sin(direction), -np.cos(direction)])
        petiole: Points = np.zeros((0, 2))
        stalk_length = form.petiole / LENGTH * length
        # Chance is used up alike at every size, so that other sizes show the same scene.
        aside, own = self.rng.normal(0, 0.15, 2), varied(self.look.stalk, self.rng)
        if node is None:
            node = pose.base - (heading - aside) * stalk_length
        if np.hypot(*(node - pose.base)) > 1:
            back = pose.base - heading * 0.5 * float(np.hypot(*(node - pose.base)))
            petiole = curve(np.asarray(node, np.float64), back, pose.base, steps=12)
        leaf = draw_fresh_leaf(form, self.look, face, pose, self.stage.light, self.stage.shape, self.pixels, flap=flap)
        if len(petiole):
            width = max(self.look.face(face).midrib_width * length, 0.8)
            # It runs on a little under the blade, so that no gap is seen.
            tail = np.concatenate([petiole, petiole[-1:] + heading * 0.01 * length])
            self.stage.lay(stalk(tail, 1.3 * width, width, own, self.pixels), self.habit.lift * length * 0.5)
        if leaf is not None:
            self.stage.lay_leaf(leaf, petiole, self.habit.lift * length)

    def put_blurred(self, centre: Points, direction: float, length: float, sigma: float) -> None:
        """Put a leaf out of focus; it is no leaf of the truth. `sigma` is its blur in pixels."""
        sigma = max(sigma, 0.03 * length)  # more than a third of the distance of secondaries: none is left to be seen
        factor = max(int(sigma / 2), 1)  # nothing finer is left of it
        form = self.form()
        base = self.centred(centre, direction, length)
        pose = self.pose(form, base / factor, direction, length / factor)
        frame = (-(-self.height // factor), -(-self.width // factor))
        face: Face = "abaxial" if self.rng.random() < self.habit.below else "adaxial"
        leaf = draw_fresh_leaf(form, self.look, face, pose, self.stage.light, frame, self.pixels)
        if leaf is not None:
            self.stage.lay(blurred(leaf, sigma, factor), 0.0)

    def put_stem(self, line: Points, start: float, end: float) -> None:
        """Put a stem along a line [N, 2]; widths in pixels."""
        own = varied(self.look.stalk, self.rng)
        self.stage.lay(stalk(line, start, end, own, self.pixels), self.habit.lift * 10 * start)

    def centred(self, centre: Points, direction: float, length: float) -> Points:
        """Return where the base must be for the middle of the midrib to lie at `centre`."""
        heading = np.array([np.sin(direction), -np.cos(direction)])
        return np.asarray(centre - 0.5 * length * heading)

    def fitting(self, form: LeafForm, direction: float) -> float:
        """Return the length in pixels at which a flat leaf just fits the frame."""
        flat = Surface(Pose(np.zeros(2), direction, 1.0), form.width).to_px(form.outline)
        span = flat.max(axis=0) - flat.min(axis=0)
        return float(LENGTH * min(self.width / span[0], self.height / span[1]))
