"""Measure identification of many photos: memory over a long run, and speed on a Ray cluster of one and two workers.

    python scripts/bench_identify_scale.py memory --shared ../shared --out runs/bench-identify --images 20000
    python scripts/bench_identify_scale.py ray --shared ../shared --images 4096

The photos of ``../shared`` are repeated. The bundle has random weights and sees one view of each photo.

memory: writes the memory of the process over the images to ``memory.csv`` and ``memory.png``, and prints it after
1,000 images, at the end, and at its peak. Takes minutes.

ray: each number of workers gets a local Ray with one core per worker. Images/s are measured after the first block of
images, without start and loading. The engine is OpenVINO.
"""

import argparse
import csv
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from bench_identify import image_sets, make_bundle, repeated

from leafid.identify import ClusterIdentifier, Identifier, identify_to_file
from leafid.identify.cluster.ray_blocks import MAX_BLOCK_IMAGES

EARLY = 1000
"""Images after which caches and pools are full; memory that still grows afterwards is a leak."""


def measure_memory(options: argparse.Namespace) -> None:
    """Identify the images once and record the memory of this process about once a second."""
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="leafid-bench-") as temporary:
        folder = Path(temporary)
        images = image_sets(options.shared, folder, (options.images, 1, 1))["small photos"]
        bundle = make_bundle(folder / "bundle", options.backbone, images[:8])
        identifier = Identifier.load(bundle, device="cpu", engine=options.engine)
        curve: list[tuple[int, float]] = []
        process, last = psutil.Process(), 0.0
        started = time.perf_counter()

        def sample(done: int, total: int) -> None:
            nonlocal last
            if time.perf_counter() - last >= 1 or done == total:
                last = time.perf_counter()
                curve.append((done, process.memory_info().rss / 1e6))

        identify_to_file(identifier, images, folder / "records.csv", on_progress=sample)
        seconds = time.perf_counter() - started
    write_curve(options.out, curve)
    early = next(memory for done, memory in curve if done >= min(EARLY, options.images))
    end, peak = curve[-1][1], max(memory for _, memory in curve)
    print(f"{options.images:,} images in {seconds:.0f} s, {options.engine}, {options.backbone}.")
    print(f"Memory after {EARLY:,} images {early:.0f} MB, at the end {end:.0f} MB ({end / early - 1:+.1%}), ", end="")
    print(f"peak {peak:.0f} MB.")


def write_curve(folder: Path, curve: list[tuple[int, float]]) -> None:
    """Write the curve as a table and as a picture."""
    from matplotlib.figure import Figure

    with (folder / "memory.csv").open("w", newline="") as opened:
        csv.writer(opened).writerows([("images", "rss_mb"), *curve])
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([done for done, _ in curve], [memory for _, memory in curve])
    axes.set(xlabel="images", ylabel="memory of the process (RSS), MB")
    axes.set_ylim(0, 1.1 * max(memory for _, memory in curve))
    axes.grid(alpha=0.3)
    figure.savefig(folder / "memory.png", dpi=120)


def measure_ray(options: argparse.Namespace) -> None:
    """Print images/s without Ray on one core, and for each number of workers."""
    small = sorted((options.shared / "bench" / "leaf_remp").rglob("*.jpg"))
    with tempfile.TemporaryDirectory(prefix="leafid-bench-") as temporary:
        images = repeated(small, options.images, Path(temporary, "images"))
        bundle = make_bundle(Path(temporary, "bundle"), options.backbone, images[:8])
        print(f"{options.backbone}, {options.images:,} small photos")
        cores = sorted(os.sched_getaffinity(0))
        ray, first = import_module("ray"), 0.0
        for workers in (0, *options.workers):
            os.sched_setaffinity(0, cores[: workers or 1])
            if not workers:
                local = rate(Identifier.load(bundle, device="cpu", engine="openvino"), images, done=1)
                print(f"without Ray, one core: {local:.1f} images/s", flush=True)
                continue
            ray.init(
                "local", num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=logging.CRITICAL
            )
            identifier = ClusterIdentifier.load(bundle, device="cpu", engine="openvino", cores=1)
            speed = rate(identifier, images, done=workers * MAX_BLOCK_IMAGES)
            ray.shutdown()
            first = first or speed
            print(f"{workers} workers: {speed:.1f} images/s, {speed / first:.2f} times the first", flush=True)


def rate(identifier: Identifier | ClusterIdentifier, images: Sequence[Path], *, done: int) -> float:
    """Return images/s after the first record, when ``done`` images have been identified."""
    records = identifier.identify(images)
    next(records)
    started = time.perf_counter()
    for _ in records:
        pass
    return (len(images) - done) / (time.perf_counter() - started)


def main() -> None:
    """Run one of the two measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    measurements = parser.add_subparsers(required=True, metavar="{memory,ray}")
    memory, ray = measurements.add_parser("memory"), measurements.add_parser("ray")
    for one in (memory, ray):
        one.add_argument("--shared", type=Path, default=Path("../shared"))
    memory.add_argument("--out", type=Path, required=True, help="folder for memory.csv and memory.png")
    memory.add_argument("--images", type=int, default=20_000)
    memory.add_argument("--backbone", default="mobilenet_v3_small")
    memory.add_argument("--engine", default="openvino", choices=("openvino", "onnx", "torch"))
    memory.set_defaults(measure=measure_memory)
    ray.add_argument("--images", type=int, default=4096)
    ray.add_argument("--backbone", default="mobilenet_v3_large")
    ray.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    ray.set_defaults(measure=measure_ray)
    options = parser.parse_args()
    options.measure(options)


if __name__ == "__main__":
    main()
