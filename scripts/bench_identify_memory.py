"""Does the memory of a long run grow? Identify many small photos and draw the memory of the process over the images.

    python scripts/bench_identify_memory.py --shared ../shared --out runs/bench-identify --images 20000

The photos are those of ``../shared``, again and again; the bundle has random weights and sees one view of each. Writes
``memory.csv`` and ``memory.png``, and prints the memory after 1,000 images, at the end, and at most. Takes minutes.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from bench_identify import image_sets, make_bundle

EARLY = 1000


def main() -> None:
    """Run, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, required=True, help="folder for memory.csv and memory.png")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--backbone", default="mobilenet_v3_small")
    parser.add_argument("--engine", default="openvino", choices=("openvino", "onnx", "torch"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    from leafid.identify import Identifier, identify_to_file

    with tempfile.TemporaryDirectory(prefix="leafid-bench-") as made:
        folder = Path(made)
        images = image_sets(options.shared, folder, (options.images, 1, 1))["small photos"]
        bundle = make_bundle(folder / "bundle", options.backbone, images[:8])
        identifier = Identifier.load(bundle, device="cpu", engine=options.engine)
        curve: list[tuple[int, float]] = []
        process, last = psutil.Process(), 0.0
        started = time.perf_counter()

        def watch(done: int, total: int) -> None:
            nonlocal last
            if time.perf_counter() - last >= 1 or done == total:
                last = time.perf_counter()
                curve.append((done, process.memory_info().rss / 1e6))

        identify_to_file(identifier, images, folder / "records.csv", on_progress=watch)
        seconds = time.perf_counter() - started
    write(options.out, curve)
    early = next(memory for done, memory in curve if done >= min(EARLY, options.images))
    end, peak = curve[-1][1], max(memory for _, memory in curve)
    print(f"{options.images:,} images in {seconds:.0f} s, {options.engine}, {options.backbone}.")
    print(f"Memory after {EARLY:,} images {early:.0f} MB, at the end {end:.0f} MB ({end / early - 1:+.1%}), ", end="")
    print(f"at most {peak:.0f} MB.")


def write(folder: Path, curve: list[tuple[int, float]]) -> None:
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


if __name__ == "__main__":
    main()
