"""Compare the compiled engines with torch for every backbone: largest differences (parity) and CPU time per view.

Weights are random. The running statistics of batch normalisation come from the images, so that features do not
vanish. Views lie in memory, so that only the engine is timed: CPU time of all threads per view, the minimum over the
repetitions. Takes minutes.

    OMP_NUM_THREADS=1 python scripts/bench_engines.py ../shared/bench/leaf_remp --images 16
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


def load_views(folder: Path, images: int) -> NDArray[np.uint8]:
    """Return views (N, 3, S, S) of images spread over the folder."""
    paths = sorted(folder.rglob("*.jpg"))
    selected = paths[:: max(1, len(paths) // images)][:images]
    opened = [np.asarray(open_image(path, needed_side=SIDE).rgb.resize((SIDE, SIDE))) for path in selected]
    return np.ascontiguousarray(np.stack(opened).transpose(0, 3, 1, 2))


def random_network(backbone: str, pixels: NDArray[np.uint8]) -> Network:
    """Build a network with random weights; its batch norm takes its statistics from the images."""
    torch.manual_seed(0)
    spec = NetworkSpec(backbone=backbone, dropout=0.0, **IMAGENET)
    network = build_network(spec, 2)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # cumulative mean over all batches
            module.reset_running_stats()
    with torch.no_grad():
        network.train().features(torch.from_numpy(pixels))
    return network.eval()


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with .jpg images")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--backbones", nargs="+", default=BACKBONES, choices=BACKBONES)
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pixels = load_views(arguments.folder, arguments.images)
    engines = [name for name in COMPILED if is_installed(name)]
    print(f"{len(pixels)} views of {SIDE} px. Largest difference over the views; of features relative to their norm.")
    print("| backbone | engine | features | probabilities | same first candidate | CPU ms per view | times torch |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for backbone in arguments.backbones:
        network = random_network(backbone, pixels)
        batch = torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
            expected = network.features(batch).numpy()
            rows = [("torch", expected, cpu_seconds(lambda: network.features(batch), arguments.repetitions))]  # noqa: B023
            for name in engines:
                with torch.inference_mode(False):
                    write_model(network, Path(folder), name, SIDE)
                model = load_model(Path(folder), name, SIDE)
                rows.append((name, model(pixels), cpu_seconds(lambda: model(pixels), arguments.repetitions)))  # noqa: B023
        reference = probabilities(expected, expected)
        for engine, features, seconds in rows:
            difference = (np.linalg.norm(features - expected, axis=1) / np.linalg.norm(expected, axis=1)).max()
            predicted = probabilities(features, expected)
            cells = (
                f"{difference:.1e}",
                f"{np.abs(predicted - reference).max():.1e}",
                f"{(predicted.argmax(axis=1) == reference.argmax(axis=1)).mean():.0%}",
                f"{1000 * seconds / len(pixels):.1f}",
                f"{rows[0][2] / seconds:.2f}",
            )
            print(f"| {backbone} | {engine} | {' | '.join(cells)} |", flush=True)


def probabilities(features: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return probabilities (N, T) of a random head on features (N, F), standardised by those of ``scale``."""
    weights = np.random.default_rng(0).normal(size=(features.shape[1], TAXA)) * 3 / features.shape[1] ** 0.5
    logits = ((features - scale.mean(axis=0)) / (scale.std(axis=0) + 1e-6 * np.abs(scale).max())) @ weights
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def cpu_seconds(work: Callable[[], object], repetitions: int) -> float:
    """Return the smallest CPU time of the work over the repetitions, after one run to warm up."""
    work()
    taken = []
    for _ in range(repetitions):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return min(taken)


if __name__ == "__main__":
    main()
