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
from leafid.identify.backbone_formats import COMPILED, is_installed, load_model, write_model
from leafid.images import open_image
from leafid.jobs import BACKBONES
from leafid.learning import Network, build_network

SIDE = 224
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
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pixels = views(arguments.folder, arguments.images)
    engines = [name for name in COMPILED if is_installed(name)]
    print(f"{len(pixels)} views of {SIDE} px. Difference: largest over the views, as a share of the features' length.")
    print("| backbone | engine | difference | CPU ms per view | times as fast as torch |")
    print("| --- | --- | --- | --- | --- |")
    for backbone in BACKBONES:
        network = alive(backbone, pixels)
        plain = torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
            expected = network.features(plain).numpy()
            rows = [("torch", 0.0, least(lambda: network.features(plain), arguments.repetitions))]  # noqa: B023
            for name in engines:
                with torch.inference_mode(False):
                    write_model(network, Path(folder), name, SIDE)
                model = load_model(Path(folder), name, SIDE)
                away = np.linalg.norm(model(pixels) - expected, axis=1) / np.linalg.norm(expected, axis=1)
                rows.append((name, float(away.max()), least(lambda: model(pixels), arguments.repetitions)))  # noqa: B023
        for engine, difference, seconds in rows:
            milliseconds = 1000 * seconds / len(pixels)
            times = rows[0][2] / seconds
            print(f"| {backbone} | {engine} | {difference:.1e} | {milliseconds:.1f} | {times:.2f} |", flush=True)


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
