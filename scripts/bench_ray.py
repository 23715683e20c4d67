"""Measure how identification on a Ray cluster scales from one worker to two, one CPU core each.

    python scripts/bench_ray.py --shared ../shared

Each number of workers has a Ray of its own on this machine, held to as many cores. Images/s are those after the first
block of images, without start and loading. The network has random weights and runs with OpenVINO.
"""

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from bench_identify import make_bundle, repeated

from leafid.identify import ClusterIdentifier, Identifier
from leafid.identify.ray_cluster import MAX_BLOCK_IMAGES


def rate(identifier: Identifier | ClusterIdentifier, images: Sequence[Path], *, done: int) -> float:
    """Return images per second once the first record has come, when ``done`` images have been answered for."""
    records = identifier.identify(images)
    next(records)
    started = time.perf_counter()
    for _ in records:
        pass
    return (len(images) - done) / (time.perf_counter() - started)


def main() -> None:
    """Print a line for one machine without Ray, on one core, and for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--network", default="mobilenet_v3_large")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    small = sorted((options.shared / "bench" / "leaf_remp").rglob("*.jpg"))
    with tempfile.TemporaryDirectory(prefix="leafid-bench-") as made:
        images = repeated(small, options.images, Path(made, "images"))
        bundle = make_bundle(Path(made, "bundle"), options.network, images[:8])
        print(f"{options.network}, {options.images:,} small photos")
        cores = sorted(os.sched_getaffinity(0))
        ray, first = import_module("ray"), 0.0
        for workers in (0, *options.workers):
            os.sched_setaffinity(0, cores[: workers or 1])
            if not workers:
                alone = rate(Identifier.load(bundle, device="cpu", engine="openvino"), images, done=1)
                print(f"without Ray, one core: {alone:.1f} images/s", flush=True)
                continue
            ray.init(
                "local", num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=logging.CRITICAL
            )
            identifier = ClusterIdentifier.load(bundle, device="cpu", engine="openvino", cores=1)
            reached = rate(identifier, images, done=workers * MAX_BLOCK_IMAGES)
            ray.shutdown()
            first = first or reached
            print(f"{workers} workers: {reached:.1f} images/s, {reached / first:.2f} times the first", flush=True)


if __name__ == "__main__":
    main()
