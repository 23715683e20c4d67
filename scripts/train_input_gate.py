"""Train the input gate on drawn pictures and on real ones under an MIT licence; write its weights and their hash.

Drawing is cut into pieces that are kept, so that the command can be stopped and run again:

    python scripts/train_input_gate.py draw OUT --pieces 0-39
    python scripts/train_input_gate.py fit OUT --shared ../shared
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from input_gate_pictures import SOURCES, Picture
from input_gate_samples import samples_of
from numpy.typing import NDArray
from PIL import Image

from leafid.images import open_image
from leafid.sheets.input_gate.features import features_of
from leafid.sheets.input_gate.gate import ANSWERS, gate_network, look

Map = NDArray[np.float32]

PIECE = {
    "photograph": 14, "one_leaf": 20, "sheet": 5, "bare": 4, "no_leaf": 60, "one_plant": 14, "several": 28, "tiny": 12,
}  # fmt: skip
"""Pictures of a piece by where they come from."""


@dataclass(frozen=True)
class Samples:
    """Features (N, F), indices into `ANSWERS` (N,), and what the samples are, `SOURCE:KIND:VARIANT` (N,)."""

    features: Map
    answers: NDArray[np.int64]
    names: NDArray[np.str_]

    def save(self, path: Path) -> None:
        """Write a piece at once."""
        part = path.with_suffix(".part.npz")
        np.savez(part, features=self.features, answers=self.answers, names=self.names)
        part.rename(path)

    @classmethod
    def load(cls, paths: list[Path]) -> Samples:
        """Read pieces."""
        pieces = [np.load(path) for path in paths]
        return cls(*(np.concatenate([piece[name] for piece in pieces]) for name in ("features", "answers", "names")))


def drawn_pictures(piece: int) -> Iterator[tuple[str, Picture]]:
    """Draw the pictures of a piece."""
    for source, count in PIECE.items():
        for number in range(piece * count, (piece + 1) * count):
            yield source, SOURCES[source](number)


def real_pictures(shared: Path) -> Iterator[tuple[str, Picture]]:
    """Coffee leaves, and every second sheet with a plant mask, under an MIT licence."""
    for path in sorted((shared / "veins/coffee").rglob("*")):
        mask_path = next((path.parent.parent / "masks").glob(f"{path.stem}*"), None)
        if path.parent.name == "masks" or path.suffix.lower() not in (".jpg", ".png") or mask_path is None:
            continue
        yield "coffee", Picture(_read(path), "good", "coffee", _box(mask_path, _read(path).shape))
    masks = shared / "sheets/masks_kymillev"
    for mask_path in sorted((masks / "plant_masks").glob("*.png"))[::2]:
        image = _read(next((masks / "img").glob(f"{mask_path.stem}.*")))
        yield "sheet with mask", Picture(image, "good", "sheet", _box(mask_path, image.shape))


def measured(pictures: Iterator[tuple[str, Picture]], seed: int) -> Samples:
    """Make the samples of pictures and measure their features."""
    network = gate_network()
    features, answers, names = [], [], []
    for number, (source, picture) in enumerate(pictures):
        for sample in samples_of(picture, np.random.default_rng([seed, number])):
            features.append(features_of(look(sample.image, network)))
            answers.append(ANSWERS.index(sample.answer))
            names.append(f"{source}:{picture.kind}:{sample.variant}")
    return Samples(np.stack(features), np.array(answers), np.array(names))


def _read(path: Path) -> NDArray[np.uint8]:
    return np.asarray(open_image(path, needed_side=768).rgb)


def _box(mask_path: Path, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    mask = np.asarray(Image.open(mask_path).convert("L").resize(shape[1::-1], Image.Resampling.NEAREST)) > 127
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def main() -> None:
    """Run a step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    draw = steps.add_parser("draw", help="draw pictures and measure their features")
    draw.add_argument("out", type=Path)
    draw.add_argument("--pieces", default="0-39", help="first and last piece (default: 0-39)")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    first, last = (int(value) for value in arguments.pieces.split("-"))
    for piece in range(first, last + 1):
        path = arguments.out / f"piece-{piece:03d}.npz"
        if not path.exists():
            measured(drawn_pictures(piece), piece).save(path)
            print(path, flush=True)


if __name__ == "__main__":
    main()
