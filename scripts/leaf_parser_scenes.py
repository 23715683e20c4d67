"""Scenes for training and measuring the leaf parser: drawn pictures with truth, kept on disk as they are drawn.

A scene is one file: the picture (JPEG), its label map (PNG) and the truth about its leaves (JSON), in an .npz archive.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.demo import (
    DEMO_TAXA,
    DrawnSheet,
    draw_leaf,
    draw_photograph,
    draw_sheet,
    sample_leaf,
    sample_plant,
    sheet_spec,
)
from leafid.demo.taxa import APEX_FORMS, BASE_FORMS
from leafid.sheets.leaf_parser.targets import OTHER_PLANT, LeafTruth

Image8 = NDArray[np.uint8]

KINDS = ("photograph", "photograph", "photograph", "sheet", "plate")
"""Kinds of scenes in the order in which they take turns."""
LONGEST = 1024
_HELD_BACK = 10_000_000  # seeds from here on are for measuring


@dataclass(frozen=True)
class Scene:
    """A picture and its truth; `labels` as in `overview_targets`. Real ones know the plant's or the leaf's mask only."""

    image: Image8
    labels: Image8
    leaves: tuple[LeafTruth, ...]
    kind: str

    def save(self, path: Path) -> None:
        """Write the scene; a reader never sees half a file."""
        truth = {"kind": self.kind, "leaves": [_plain(leaf) for leaf in self.leaves]}
        parts = {
            "image": cv2.imencode(".jpg", self.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1],
            "labels": cv2.imencode(".png", self.labels)[1],
            "truth": np.frombuffer(json.dumps(truth).encode(), np.uint8),
        }
        content = io.BytesIO()
        np.savez(content, **parts)
        partial = path.with_suffix(".partial")
        partial.write_bytes(content.getvalue())
        partial.rename(path)

    @classmethod
    def load(cls, path: Path) -> "Scene":
        """Read a scene."""
        with np.load(path) as parts:
            image = cv2.imdecode(parts["image"], cv2.IMREAD_COLOR)[..., ::-1]
            labels = cv2.imdecode(parts["labels"], cv2.IMREAD_GRAYSCALE)
            truth = json.loads(parts["truth"].tobytes())
        leaves = tuple(_leaf(leaf) for leaf in truth["leaves"])
        return cls(np.ascontiguousarray(image), np.asarray(labels, np.uint8), leaves, truth["kind"])


def _plain(leaf: LeafTruth) -> dict[str, Any]:
    def rounded(points: NDArray[np.float64]) -> Any:  # noqa: ANN401 (nested lists of numbers)
        return np.round(points, 1).tolist()

    return {
        "base": rounded(leaf.base),
        "apex": rounded(leaf.apex),
        "midrib": rounded(leaf.midrib),
        "left": [rounded(line) for line in leaf.left],
        "right": [rounded(line) for line in leaf.right],
        "petiole": None if leaf.petiole is None else rounded(leaf.petiole),
        "facts": leaf.facts,
    }


def _leaf(plain: dict[str, Any]) -> LeafTruth:
    def points(values: Any) -> NDArray[np.float64]:  # noqa: ANN401 (nested lists of numbers)
        return np.array(values, np.float64)

    return LeafTruth(
        base=points(plain["base"]),
        apex=points(plain["apex"]),
        midrib=points(plain["midrib"]),
        left=tuple(points(line) for line in plain["left"]),
        right=tuple(points(line) for line in plain["right"]),
        petiole=None if plain["petiole"] is None else points(plain["petiole"]),
        facts=plain["facts"],
    )


def draw_scene(kind: str, seed: int) -> Scene:
    """Draw a scene of one of `KINDS`; the same arguments always give the same scene."""
    random = np.random.default_rng([seed, 17])
    if kind == "sheet":
        return _of_sheet(draw_sheet(sheet_spec(seed % 100_000, seed=seed, px_per_mm=float(random.uniform(1.2, 2.3)))))
    if kind == "plate":
        return _plate(random)
    return _photograph(seed, int(random.choice([320, 512, 768, 1024, 1024])))


def _photograph(seed: int, long_side: int) -> Scene:
    drawn = draw_photograph(seed, long_side=long_side)
    labels = np.zeros(drawn.image.shape[:2], np.uint8)
    leaves = []
    for number, leaf in enumerate(drawn.leaves[:200], start=1):
        labels[leaf.visible_mask(labels.shape)] = number
        facts = {
            "overlapped": float(leaf.overlapped),
            "folded": float(leaf.folded),
            "cut": float(leaf.cut_by_frame),
            "abaxial": float(leaf.face == "abaxial"),
            "veins_visible": float(leaf.veins_visible),
            "visible_fraction": float(leaf.visible_fraction),
        }
        leaves.append(
            LeafTruth(
                base=np.array(leaf.base_xy, np.float64),
                apex=np.array(leaf.apex_xy, np.float64),
                midrib=np.asarray(leaf.midrib, np.float64),
                left=tuple(leaf.left),
                right=tuple(leaf.right),
                petiole=np.asarray(leaf.petiole, np.float64) if len(leaf.petiole) > 1 else None,
                facts=facts,
            )
        )
    scene = Scene(drawn.image, labels, tuple(leaves), "photograph")
    return _with_petioles(scene)


def _with_petioles(scene: Scene) -> Scene:
    """Mark petioles as plant where nothing else is."""
    stalks = np.zeros_like(scene.labels)
    for leaf in scene.leaves:
        if leaf.petiole is not None:
            length = float(np.hypot(*(leaf.apex - leaf.base)))
            line = np.round((leaf.petiole - 0.5) * 16).astype(np.int32)
            cv2.polylines(stalks, [line], False, (1,), max(1, round(0.018 * length)), cv2.LINE_8, 4)
    labels = scene.labels.copy()
    labels[(labels == 0) & (stalks > 0)] = OTHER_PLANT
    return replace(scene, labels=labels)


def _of_sheet(sheet: DrawnSheet) -> Scene:
    leaves = []
    for drawn in sheet.drawn:
        offset = np.array(drawn.offset, np.float64)

        def move(points: NDArray[np.float64], drawn: Any = drawn, offset: Any = offset) -> NDArray[np.float64]:  # noqa: ANN401
            return np.asarray(drawn.leaf.frame.to_px(points) + offset)

        midrib = drawn.midrib_px
        facts = {
            "overlapped": float(drawn.overlapped),
            "folded": float(drawn.leaf.folded),
            "cut": 0.0,
            "abaxial": float(drawn.leaf.face == "abaxial"),
            "veins_visible": 1.0,
            "visible_fraction": drawn.visible_fraction,
        }
        venation = drawn.leaf.venation
        leaves.append(
            LeafTruth(
                midrib[0],
                midrib[-1],
                midrib,
                tuple(map(move, venation.left)),
                tuple(map(move, venation.right)),
                drawn.petiole_px,
                facts,
            )
        )
    return Scene(sheet.image, sheet.leaves, tuple(leaves), "sheet")


def _plate(random: np.random.Generator) -> Scene:
    """One to three leaves with characters that do not depend on each other, on an even ground of any colour."""
    long_side = int(random.choice([256, 384, 512, 768]))
    height, width = (long_side, round(long_side * random.uniform(0.5, 1)))
    if random.random() < 0.5:
        height, width = width, height
    image = _ground(height, width, random)
    labels = np.zeros((height, width), np.uint8)
    leaves: list[LeafTruth] = []
    for number in range(1, int(random.choice([1, 1, 1, 2, 3])) + 1):
        plant = sample_plant(str(random.choice(DEMO_TAXA)), random)
        traits = sample_leaf(plant, random)
        pairs = int(random.integers(4, 19))
        length = traits.length_mm
        traits = replace(
            traits,
            width_mm=length / float(np.exp(random.uniform(np.log(1.0), np.log(4.0)))),
            pairs_left=pairs,
            pairs_right=int(np.clip(pairs + random.integers(-2, 3), 3, 20)),
            vein_angle_deg=float(random.uniform(35, 72)),
            apex_form=str(random.choice(APEX_FORMS)),
            base_form=str(random.choice(BASE_FORMS)),
            undulation=float(random.choice([0.0, 0.01, 0.03])),
        )
        if traits.apex_form != "acuminate":
            traits = replace(traits, tip_mm=0.0)
        scale = min(height, width) / max(traits.length_mm, traits.width_mm) * random.uniform(0.35, 0.95)
        green = _fresh(random)
        look = replace(
            plant.look,
            adaxial=green,
            abaxial=green,
            vein_contrast=float(random.uniform(0.15, 0.6) * random.choice([1, 1, -1])),
        )
        leaf = draw_leaf(
            traits,
            look,
            random,
            px_per_mm=scale,
            face="abaxial" if random.random() < 0.4 else "adaxial",
            direction_deg=float(random.uniform(0, 360)),
        )
        room = np.array([width - leaf.image.shape[1], height - leaf.image.shape[0]], np.float64)
        offset = np.round(random.uniform(0.0, 1.0, 2) * room + random.normal(0, 0.01, 2) * width).astype(int)
        _lay(image, labels, leaf.image, leaf.coverage, offset, number)

        def move(points: NDArray[np.float64], leaf: Any = leaf, offset: Any = offset) -> NDArray[np.float64]:  # noqa: ANN401
            return np.asarray(leaf.frame.to_px(points) + offset)

        midrib = leaf.midrib_px + offset
        facts = {"abaxial": float(leaf.face == "abaxial"), "veins_visible": 1.0, "folded": 0.0}
        facts |= {"area": float(leaf.mask.sum())}
        leaves.append(
            LeafTruth(
                midrib[0],
                midrib[-1],
                midrib,
                tuple(map(move, leaf.venation.left)),
                tuple(map(move, leaf.venation.right)),
                None,
                facts,
            )
        )
    return Scene(image, labels, tuple(_seen(leaf, labels, i) for i, leaf in enumerate(leaves, 1)), "plate")


def _seen(leaf: LeafTruth, labels: Image8, number: int) -> LeafTruth:
    facts = dict(leaf.facts)
    share = min(1.0, float((labels == number).sum()) / max(facts.pop("area"), 1.0))
    outline = np.concatenate([leaf.midrib, *leaf.left, *leaf.right])
    size = np.array(labels.shape[::-1])
    cut = float(((outline < 0) | (outline >= size)).any(axis=1).mean() > 0.005)
    facts |= {"visible_fraction": share, "cut": cut, "overlapped": float(share < 0.98 and not cut)}
    return replace(leaf, facts=facts)


def _lay(image: Image8, labels: Image8, patch: Image8, coverage: Image8, offset: NDArray[np.int64], number: int) -> None:
    height, width = labels.shape
    left, top = max(int(offset[0]), 0), max(int(offset[1]), 0)
    right, bottom = min(int(offset[0]) + patch.shape[1], width), min(int(offset[1]) + patch.shape[0], height)
    if right <= left or bottom <= top:
        return
    inner = np.s_[top - offset[1] : bottom - offset[1], left - offset[0] : right - offset[0]]
    outer = np.s_[top:bottom, left:right]
    alpha = coverage[inner].astype(np.float32)[..., None] / 255
    image[outer] = (patch[inner] * alpha + image[outer] * (1 - alpha)).astype(np.uint8)
    labels[outer][coverage[inner] >= 128] = number


def _fresh(random: np.random.Generator) -> tuple[float, float, float]:
    hue, saturation, value = random.uniform(25, 50), random.uniform(60, 230), random.uniform(50, 210)
    pixel = np.array([[[hue, saturation, value]]], np.uint8)
    red, green, blue = (cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0] / 255).tolist()
    return red, green, blue


def _ground(height: int, width: int, random: np.random.Generator) -> Image8:
    kind = random.random()
    colour = np.full(3, 0.0 if kind < 0.2 else 250.0) if kind < 0.5 else random.uniform(0, 255, 3)
    ground = np.broadcast_to(colour, (height, width, 3)).astype(np.float32)
    if kind > 0.3:
        for grain in (4, 16, 80):
            cells = (max(2, height // grain), max(2, width // grain))
            coarse = (random.standard_normal((*cells, 1)) + 0.3 * random.standard_normal((*cells, 3))).astype(np.float32)
            strength = random.uniform(0, 14 if kind < 0.8 else 30)
            ground = ground + strength * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(ground, 0, 255).astype(np.uint8)


def reduced(scene: Scene, longest: int = LONGEST) -> Scene:
    """The scene with its long side at most `longest`."""
    height, width = scene.labels.shape
    factor = longest / max(height, width)
    if factor >= 1:
        return scene
    size = (round(width * factor), round(height * factor))
    matrix = np.array([[size[0] / width, 0, 0], [0, size[1] / height, 0]])
    return Scene(
        np.asarray(cv2.resize(scene.image, size, interpolation=cv2.INTER_AREA), np.uint8),
        np.asarray(cv2.resize(scene.labels, size, interpolation=cv2.INTER_NEAREST), np.uint8),
        tuple(leaf.moved(matrix) for leaf in scene.leaves),
        scene.kind,
    )


def scene_path(folder: Path, kind: str, seed: int) -> Path:
    """Where a drawn scene lies."""
    return folder / f"{kind}_{seed:08d}.npz"


def draw_into(folder: Path, numbers: Iterator[int], *, held_back: bool = False) -> Iterator[Path]:
    """Draw scenes of all kinds in turn, each once; those that are there already are not drawn again."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        kind = KINDS[number % len(KINDS)]
        path = scene_path(folder, kind, number + held_back * _HELD_BACK)
        if not path.exists():
            reduced(draw_scene(kind, number + held_back * _HELD_BACK)).save(path)
        yield path


def real_scenes(shared: Path, *, half: int) -> list[Scene]:
    """Every second sheet and coffee leaf with a real mask (MIT), from the first (`half` 0) or the second (1)."""
    folders = (
        ("plant", shared / "sheets" / "masks_kymillev" / "img", shared / "sheets" / "masks_kymillev" / "plant_masks"),
        ("leaf", shared / "veins" / "coffee" / "images", shared / "veins" / "coffee" / "masks"),
    )
    scenes = []
    for kind, images, masks in folders:
        for path in sorted(images.glob("*.jpg"))[half::2]:
            image = np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])
            mask = cv2.imread(str(next(masks.glob(f"{path.stem}.*"))), cv2.IMREAD_GRAYSCALE)
            mask = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
            scenes.append(reduced(Scene(image, (mask > 60).astype(np.uint8), (), kind)))
    return scenes
