"""Measure the engines: do they answer like torch, and how long do they take, for every shipped backbone.

Weights are random, with the running statistics of batch normalisation taken from the images, so that features
are alive. Engine only: views lie in memory; the time is CPU seconds of all threads per view, the least of the
repetitions. Takes minutes.

    OMP_NUM_THREADS=1 python scripts/measure_engines.py ../shared/bench/leaf_remp --images 16
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from leafid.bundle import NetworkSpec
from leafid.identify.engines.compiled_formats import COMPILED, is_installed, load_model, write_model
from leafid.images import open_image
from leafid.jobs import BACKBONES
from leafid.learning import Network, build_network

SIDE = 224
TAXA = 30
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def views(folder: Path, images: int) -> NDArray[np.uint8]:
    """Return (N, 3, S, S) of images spread over the folder."""
    paths = sorted(folder.rglob("*.jpg"))
    chosen = paths[:: max(1, len(paths) // images)][:images]
    opened = [np.asarray(open_image(path, needed_side=SIDE).rgb.resize((SIDE, SIDE))) for path in chosen]
    return np.ascontiguousarray(np.stack(opened).transpose(0, 3, 1, 2))


def alive(backbone: str, pixels: NDArray[np.uint8]) -> Network:
    """Build a network with random weights whose normalisation has seen images."""
    torch.manual_seed(0)
    spec = NetworkSpec(backbone=backbone, dropout=0.0, **IMAGENET)
    network = build_network(spec, 2)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean over all batches
            module.reset_running_stats()
    with torch.no_grad():
        network.train().features(torch.from_numpy(pixels))
    return network.eval()


def main() -> None:
    """Print a table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="images, .jpg")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--backbones", nargs="+", default=BACKBONES, choices=BACKBONES)
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pixels = views(arguments.folder, arguments.images)
    engines = [name for name in COMPILED if is_installed(name)]
    print(
        f"{len(pixels)} views of {SIDE} px. Largest differences over the views; of features as a share of their length."
    )
    print("| backbone | engine | features | probabilities | same first answer | CPU ms per view | times torch |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for backbone in arguments.backbones:
        network = alive(backbone, pixels)
        plain = torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
            expected = network.features(plain).numpy()
            rows = [("torch", expected, least(lambda: network.features(plain), arguments.repetitions))]  # noqa: B023
            for name in engines:
                with torch.inference_mode(False):
                    write_model(network, Path(folder), name, SIDE)
                model = load_model(Path(folder), name, SIDE)
                rows.append((name, model(pixels), least(lambda: model(pixels), arguments.repetitions)))  # noqa: B023
        wanted = probabilities(expected, expected)
        for engine, features, seconds in rows:
            away = (np.linalg.norm(features - expected, axis=1) / np.linalg.norm(expected, axis=1)).max()
            answers = probabilities(features, expected)
            cells = (
                f"{away:.1e}",
                f"{np.abs(answers - wanted).max():.1e}",
                f"{(answers.argmax(axis=1) == wanted.argmax(axis=1)).mean():.0%}",
                f"{1000 * seconds / len(pixels):.1f}",
                f"{rows[0][2] / seconds:.2f}",
            )
            print(f"| {backbone} | {engine} | {' | '.join(cells)} |", flush=True)


def probabilities(features: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.float64]:
    """Answer by a random head, which sees the features (N, F) as far from the mean as those of ``scale`` are spread."""
    weights = np.random.default_rng(0).normal(size=(features.shape[1], TAXA)) * 3 / features.shape[1] ** 0.5
    logits = ((features - scale.mean(axis=0)) / (scale.std(axis=0) + 1e-6 * np.abs(scale).max())) @ weights
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def least(work: Callable[[], object], repetitions: int) -> float:
    """Return the least CPU seconds that the work takes, once it has been done."""
    work()
    taken = []
    for _ in range(repetitions):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return min(taken)


if __name__ == "__main__":
    main()
