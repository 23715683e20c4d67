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
from leaf_parser_plates import draw_plate
from numpy.typing import NDArray

from leafid.demo import (
    DrawnSheet,
    draw_photograph,
    draw_sheet,
    sheet_spec,
)
from leafid.sheets.leaf_parser.targets import OTHER_PLANT, LeafTruth

Image8 = NDArray[np.uint8]

KINDS = ("photograph", "photograph", "photograph", "sheet", "plate")
"""Kinds of scenes in the order in which they take turns."""
LONGEST = 1024
_HELD_BACK = 10_000_000  # seeds from here on are for measuring


@dataclass(frozen=True)
class Scene:
    """A picture and its truth; `labels` as in `overview_targets`. Real ones have a mask only."""

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
        np.savez(content, allow_pickle=False, **parts)
        partial = path.with_suffix(".partial")
        partial.write_bytes(content.getvalue())
        partial.rename(path)

    @classmethod
    def load(cls, path: Path) -> "Scene":
        """Read a scene."""
        with np.load(path) as parts:
            image = np.asarray(cv2.imdecode(parts["image"], cv2.IMREAD_COLOR), np.uint8)[..., ::-1]
            labels = np.asarray(cv2.imdecode(parts["labels"], cv2.IMREAD_GRAYSCALE), np.uint8)
            truth = json.loads(parts["truth"].tobytes())
        leaves = tuple(_leaf(leaf) for leaf in truth["leaves"])
        return cls(np.ascontiguousarray(image), labels, leaves, truth["kind"])


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
        return Scene(*draw_plate(random), "plate")
    return _photograph(seed, int(random.choice([320, 512, 768, 1024, 1024])))


def _photograph(seed: int, long_side: int) -> Scene:
    drawn = draw_photograph(seed, long_side=long_side)
    height, width = drawn.image.shape[:2]
    labels = np.zeros((height, width), np.uint8)
    leaves = []
    for number, leaf in enumerate(drawn.leaves[:200], start=1):
        labels[leaf.visible_mask((height, width))] = number
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


def held_back(folder: Path, number: int = 300) -> list[Path]:
    """The scenes that are kept for measuring, drawn where they are missing."""
    return list(draw_into(folder, iter(range(number)), held_back=True))


def real_scenes(shared: Path, *, half: int) -> list[Scene]:
    """Every second sheet and coffee leaf with a real mask (MIT), from the first (`half` 0) or the second (1)."""
    folders = (
        ("plant", shared / "sheets" / "masks_kymillev" / "img", shared / "sheets" / "masks_kymillev" / "plant_masks"),
        ("leaf", shared / "veins" / "coffee" / "images", shared / "veins" / "coffee" / "masks"),
    )
    scenes = []
    for kind, images, masks in folders:
        for path in sorted(images.glob("*.jpg"))[half::2]:
            image = np.ascontiguousarray(np.asarray(cv2.imread(str(path)), np.uint8)[..., ::-1])
            mask = np.asarray(cv2.imread(str(next(masks.glob(f"{path.stem}.*"))), cv2.IMREAD_GRAYSCALE), np.uint8)
            mask = np.asarray(cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
            scenes.append(reduced(Scene(image, (mask > 60).astype(np.uint8), (), kind)))
    return scenes
