"""Train the input gate on drawn pictures and on real ones under an MIT licence; write its weights and their hash.

Drawing is cut into pieces that are kept, so that the command can be stopped and run again:

    python scripts/train_input_gate.py draw OUT --pieces 0-119
    python scripts/train_input_gate.py real OUT --shared ../shared
    python scripts/train_input_gate.py fit OUT
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from input_gate_collages import laid_together, slim, tiled
from input_gate_pictures import (
    Picture,
    bare,
    foliage,
    laid_out,
    no_leaf,
    one_leaf,
    photograph,
    pressed,
    sheet,
    tiny,
)
from input_gate_plants import undergrowth
from input_gate_samples import plantless_parts, samples_of
from numpy.typing import NDArray
from PIL import Image
from sklearn.neural_network import MLPClassifier

from leafid.images import open_image
from leafid.sheets.input_gate.answers import ANSWERS
from leafid.sheets.input_gate.features import features_of
from leafid.sheets.input_gate.gate import FOLDER, GateWeights, gate_network, look
from leafid.sheets.leaf_parser.weights import write_weights
from leafid.trust.image_quality import MIN_GOOD

Map = NDArray[np.float32]

SOURCES: dict[str, tuple[int, Callable[[int], Picture]]] = {
    "photograph": (2, photograph),
    "one_leaf": (2, one_leaf),
    "one_leaf, large": (2, lambda seed: one_leaf(500_000 + seed, largest=1100)),
    "foliage": (3, foliage),
    "undergrowth": (5, undergrowth),
    "slim": (3, slim),
    "pressed": (3, pressed),
    "sheet": (1, sheet),
    "bare": (2, bare),
    "no_leaf": (13, no_leaf),
    "one_plant": (2, lambda seed: laid_out(seed, mixed=False)),
    "several": (4, lambda seed: laid_out(seed, mixed=True)),
    "tiled, one plant": (2, lambda seed: tiled(seed, mixed=False)),
    "tiled": (4, lambda seed: tiled(seed, mixed=True)),
    "tiny": (4, tiny),
}
"""How many pictures of a piece come from where, and what draws them; each takes a seed."""


SHARES = {
    "good": 0.38, "blurred": 0.25, "not_a_leaf": 0.3, "several_plants": 0.32, "cut_off": 0.22, "too_small": 0.1,
}  # fmt: skip
"""How much the answers count in training, relative to each other."""
TIMES, HIDDEN, DECAY, NOISE, EPOCHS, NETWORKS = 1.5, 64, 1.0, 0.4, 30, 4
"""Samples drawn per sample, width of the hidden layer, weight decay, noise on features, passes, networks averaged."""
REAL_ROUNDS, REAL_PARTS = 2, 8
"""How often the real pictures are varied, and in how many parts they are measured."""


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
    for source, (count, draw) in SOURCES.items():
        for number in range(piece * count, (piece + 1) * count):
            yield source, draw(number)


def real_pictures(shared: Path, seed: int) -> Iterator[tuple[str, Picture]]:
    """Coffee leaves, and every second sheet with a plant mask, under an MIT licence; the other sheets are measured."""
    rng, leaves = np.random.default_rng(seed), []
    for path in sorted((shared / "veins/coffee").rglob("*")):
        mask_path = next((path.parent.parent / "masks").glob(f"{path.stem}*"), None)
        if path.parent.name == "masks" or path.suffix.lower() not in (".jpg", ".png") or mask_path is None:
            continue
        leaves.append(_read(path))
        yield "coffee", Picture(leaves[-1], "good", "coffee", _box(mask_path, leaves[-1].shape))
    for one, other in zip(leaves, rng.permutation(len(leaves)), strict=True):
        yield "coffee", Picture(laid_together([one, leaves[other]], rng), "good", "two photographs of one plant")
        drawn = one_leaf(9_000_000 + 1000 * seed + int(other))
        if drawn.answer == "good":
            both = laid_together([one, drawn.image], rng)
            yield "coffee", Picture(both, "several_plants", "two photographs of two plants")
    masks = shared / "sheets/masks_kymillev"
    for mask_path in sorted((masks / "plant_masks").glob("*.png"))[::2]:
        image = _read(next((masks / "img").glob(f"{mask_path.stem}.*")))
        yield "sheet with mask", Picture(image, "good", "sheet", _box(mask_path, image.shape))
    for part in plantless_parts(masks, first=0):
        yield "sheet with mask", Picture(part, "not_a_leaf", "part of a sheet without a plant")


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


def fit(samples: Samples, seed: int = 0) -> GateWeights:
    """Fit the perceptrons; each answer counts as much as `SHARES` says, and within it each source alike."""
    mean, scale = samples.features.mean(axis=0), samples.features.std(axis=0) + 1e-3
    values = np.clip((samples.features - mean) / scale, -5, 5)
    fitted = [_network(values, samples, np.random.default_rng([seed, number])) for number in range(NETWORKS)]
    layers = tuple(
        (np.stack([one.coefs_[layer] for one in fitted]), np.stack([one.intercepts_[layer] for one in fitted]))
        for layer in range(2)
    )
    layers = tuple((weight.astype(np.float32), bias.astype(np.float32)) for weight, bias in layers)
    return GateWeights(mean.astype(np.float32), scale.astype(np.float32), layers)


def _network(values: Map, samples: Samples, rng: np.random.Generator) -> MLPClassifier:
    """Fit one perceptron to standardised features."""
    sources = np.array([name.split(":")[0] for name in samples.names])
    drawn = []
    for answer, share in SHARES.items():
        own = np.flatnonzero(samples.answers == ANSWERS.index(answer))
        _, source, counts = np.unique(sources[own], return_inverse=True, return_counts=True)
        # The root lies between samples that count alike and sources that do.
        chance = counts[source] ** -0.5
        drawn.append(rng.choice(own, round(share * TIMES * len(values)), p=chance / chance.sum()))
    chosen = rng.permutation(np.concatenate(drawn))
    # Features that are a little off stand for pictures that are unlike the drawn ones.
    noisy = values[chosen] + rng.normal(0, NOISE, (len(chosen), values.shape[1]))
    state = int(rng.integers(1 << 31))
    network = MLPClassifier((HIDDEN,), alpha=DECAY, max_iter=EPOCHS, random_state=state, learning_rate_init=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the number of epochs is meant
        return network.fit(noisy.astype(np.float32), samples.answers[chosen])


def out_of_fold(samples: Samples, groups: NDArray[np.int64], folds: int = 3) -> Map:
    """Return probabilities (N, A) of each sample from the others' pieces."""
    result = np.zeros((len(samples.answers), len(ANSWERS)), np.float32)
    for fold in range(folds):
        held = groups % folds == fold
        part = Samples(samples.features[~held], samples.answers[~held], samples.names[~held])
        result[held] = fit(part, seed=fold).probabilities(samples.features[held])
    return result


def report(samples: Samples, probabilities: Map) -> None:
    """Print answers by right answers, and the share refused of each kind."""
    refused = probabilities[:, 0] < MIN_GOOD
    reasons = np.where(refused, 1 + probabilities[:, 1:].argmax(axis=1), 0)
    names = np.array(ANSWERS)
    table = pd.crosstab(names[samples.answers], names[reasons], normalize="index")
    print(table.round(3).to_string())
    for limit in (0.1, 0.15, 0.2, 0.25, 0.3):
        accepted = probabilities[:, 0] >= limit
        found = np.where(accepted, 0, 1 + probabilities[:, 1:].argmax(axis=1)) == samples.answers
        good = samples.answers == 0
        print(f"limit {limit:.2f}: right reason {found[~good].mean():.3f}, good accepted {found[good].mean():.3f}")
    kinds = pd.Series(samples.names).str.replace(r" [0-9.]+$", "", regex=True)
    right = pd.DataFrame({"kind": kinds, "right": reasons == samples.answers})
    print(right.groupby("kind")["right"].agg(["size", "mean"]).round(2).to_string())


def save(weights: GateWeights) -> Path:
    """Write the shipped weights and their hash."""
    arrays = {"mean": weights.mean, "scale": weights.scale}
    for number, (weight, bias) in enumerate(weights.layers):
        arrays |= {f"layer_{number}.weight": weight, f"layer_{number}.bias": bias}
    return write_weights(FOLDER, "gate", arrays)


def _read(path: Path) -> NDArray[np.uint8]:
    return np.asarray(open_image(path, needed_side=768).rgb)


def _box(mask_path: Path, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    mask = np.asarray(Image.open(mask_path).convert("L").resize((shape[1], shape[0]), Image.Resampling.NEAREST)) > 0
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def main() -> None:
    """Run a step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    draw = steps.add_parser("draw", help="draw pictures and measure their features")
    draw.add_argument("out", type=Path)
    draw.add_argument("--pieces", default="0-119", help="first and last piece (default: 0-119)")
    real = steps.add_parser("real", help="measure the features of real pictures under an MIT licence")
    real.add_argument("out", type=Path)
    real.add_argument("--shared", type=Path, required=True, help="folder of the real pictures")
    train = steps.add_parser("fit", help="fit the weights, print what they do out of fold, and write them")
    train.add_argument("out", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.step == "real":
        for number, part in product(range(REAL_ROUNDS), range(REAL_PARTS)):
            path = arguments.out / f"real-{number}-{part}.npz"
            if not path.exists():
                pictures = islice(real_pictures(arguments.shared, number), part, None, REAL_PARTS)
                measured(pictures, 100_000 + REAL_PARTS * number + part).save(path)
        return
    if arguments.step == "fit":
        paths = sorted(arguments.out.glob("*.npz"))
        samples = Samples.load(paths)
        # Real pictures come several times: all of them are one group.
        numbers = [0 if path.name.startswith("real") else 1 + number for number, path in enumerate(paths)]
        groups = np.repeat(numbers, [len(np.load(path)["answers"]) for path in paths])
        report(samples, out_of_fold(samples, groups))
        print(save(fit(samples)))
        return
    first, last = (int(value) for value in arguments.pieces.split("-"))
    for piece in range(first, last + 1):
        path = arguments.out / f"piece-{piece:03d}.npz"
        if not path.exists():
            measured(drawn_pictures(piece), piece).save(path)
            print(path, flush=True)


if __name__ == "__main__":
    main()
