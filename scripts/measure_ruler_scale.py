"""How often and how exactly a ruler on the sheet tells the scale: drawn sheets of known scale, and named images.

    python scripts/measure_ruler_scale.py --sheets 12 [IMAGE ...]

Half of the drawn sheets are reduced to a scale at which ticks lie between pixels. Of images of unknown scale, what was
found is printed, to be compared by eye; photos without a ruler must give nothing.
"""

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from leafid.demo.gatherings import sheet_spec
from leafid.demo.sheet import draw_sheet
from leafid.images import open_image
from leafid.sheets import find_ruler_scale

SEED = 60818


def main() -> int:
    """Measure, print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, nargs="*")
    parser.add_argument("--sheets", type=int, default=12, help="drawn sheets")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    errors, seconds, found = [], [], 0
    for number in range(arguments.sheets):
        factor = 1.0 if number % 2 else float(np.random.default_rng([SEED, number]).uniform(0.65, 0.95))
        image = draw_sheet(sheet_spec(number, seed=SEED, px_per_mm=5.0)).image
        if factor < 1:
            image = np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
        start = time.process_time()
        scale = find_ruler_scale(image)
        seconds.append(time.process_time() - start)
        if scale is not None:
            found += 1
            errors.append(abs(scale.px_per_mm / (5.0 * factor) - 1))
    if arguments.sheets:
        print("| drawn sheets | scale told | mean error | largest | CPU |\n|---:|---:|---:|---:|---:|")
        mean, largest = (f"{np.mean(errors):.2%}", f"{max(errors):.2%}") if errors else ("", "")
        print(f"| {arguments.sheets} | {found} | {mean} | {largest} | {np.median(seconds):.2f} s |\n")
    for path in arguments.images:
        opened = open_image(path, needed_side=1600)
        scale = find_ruler_scale(np.asarray(opened.rgb, np.uint8))
        reduced = opened.rgb.width / opened.width
        told = "no scale" if scale is None else f"{scale.px_per_mm / reduced:.2f} px/mm by {scale.ticks} ticks"
        print(f"{path.name}: {told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
