"""Measure time and memory from the file of a sheet to the views that the network sees, compared with a naive reader.

Naive: ``Image.open(path).convert("RGB").resize((224, 224))``, which decodes every pixel and squashes the sheet. Every
measurement runs in its own process, because ``ru_maxrss`` is the peak of a process; the memory of the interpreter and
its imports is subtracted. Time is the median of the repetitions, with the file in the disk cache.

    python scripts/bench_reading.py ../shared/sheets/full_size
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from leafid.jobs import Preprocessing, ViewCounts
from leafid.sheets import prepare_file

SIZE = 224

VIEWS = {
    "whole image": ViewCounts(image=1),
    "plant": ViewCounts(plant=1),
    "plant, 6 leaves": ViewCounts(plant=1, leaves=6),
    "plant, 6 leaves, 4 tiles": ViewCounts(plant=1, leaves=6, tiles=4),
}


def reader(name: str) -> Callable[[Path], object]:
    """Return the function to time."""
    if name == "naive":
        return lambda path: np.asarray(Image.open(path).convert("RGB").resize((SIZE, SIZE)))
    preprocessing = Preprocessing(views=VIEWS[name], size=SIZE)
    if name != "whole image":
        import cv2

        import leafid.sheets.views  # noqa: F401 -- imported before the clock starts

        cv2.setNumThreads(1)
    return lambda path: prepare_file(path, preprocessing)


def measure(name: str, path: Path, repeats: int) -> dict[str, float]:
    """Time one reader on one file in this process."""
    Image.init()
    read = reader(name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        read(path)
        seconds.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"ms": 1000 * statistics.median(seconds), "MB": (peak - before) / 1024}


def main() -> None:
    """Print one row per reader."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.folder, options.repeats)))
        return
    files = sorted(path for path in options.folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))
    for path in files:
        with Image.open(path) as image:
            print(f"{path.name}: {image.width} x {image.height} pixels, {path.stat().st_size / 1e6:.1f} MB")
    print(f"{'':26} {'ms per sheet':>12} {'naive / this':>12} {'peak MB':>8}")
    naive = 0.0
    for name in ("naive", *VIEWS):
        command = [sys.executable, __file__, "--repeats", str(options.repeats), "--one", name]
        results = [
            json.loads(subprocess.run([*command, path], capture_output=True, text=True, check=True).stdout)
            for path in files
        ]
        ms = statistics.mean(result["ms"] for result in results)
        naive = naive or ms
        print(f"{name:26} {ms:12.0f} {naive / ms:10.1f} x {max(result['MB'] for result in results):8.0f}")


if __name__ == "__main__":
    main()
