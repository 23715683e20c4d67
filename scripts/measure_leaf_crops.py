"""Measure leaf crops on drawn sheets, whose every leaf is known.

A drawn leaf counts as whole where at least 90 % of its blade is seen and nothing overlaps it; it is free where it
also does not lie upon or against another blade, so that its outline shows all around. It is found where the best
leaf crop covers it with an intersection over union of at least 0.7 (petioles do not count on either side). The turn
is measured between the crop's up and the line from the drawn base to the drawn apex: for all found leaves, for those
whose apex is said to be clear, and without regard to which end is up for those whose midrib is said to be clear.

    python scripts/measure_leaf_crops.py --sheets 24
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.demo import draw_herbarium
from leafid.sheets import CropKind, CropPlan, find_crops, find_plant

FOUND = 0.7
WHOLE = 0.9
TWIG = 255  # value of twigs and petioles in the drawn truth
REDUCED_SIDE = 1024


def overlap(plan: CropPlan, leaves: NDArray[np.uint8], number: int) -> float:
    """Intersection over union of a planned crop and a drawn blade, twigs left out of both."""
    left, top, right, bottom = plan.box
    window = leaves[top:bottom, left:right]
    shape = cv2.resize(plan.shape.astype(np.uint8), (window.shape[1], window.shape[0]), interpolation=cv2.INTER_NEAREST)
    found = (shape > 0) & (window != TWIG)
    true_here = window == number
    either = int((leaves == number).sum()) + int((found & ~true_here).sum())
    return int((found & true_here).sum()) / max(1, either)


def touches_another(leaves: NDArray[np.uint8], number: int) -> bool:
    """Whether a drawn blade borders on another one over more than 2 % of its outline."""
    own = (leaves == number).astype(np.uint8)
    ring = (cv2.dilate(own, np.ones((5, 5), np.uint8)) > 0) & (own == 0)
    others = ring & (leaves > 0) & (leaves != TWIG)
    return bool(others.sum() > 0.02 * ring.sum())


def turn_error(plan: CropPlan, leaf: dict[str, Any]) -> float:
    """Degrees between the crop's up and the drawn direction from base to apex, 0..180."""
    (base_x, base_y), (apex_x, apex_y) = leaf["base_px"], leaf["apex_px"]
    direction = np.degrees(np.arctan2(-(apex_y - base_y), apex_x - base_x))  # counter-clockwise from the x axis
    return float(abs((direction + plan.angle - 90 + 180) % 360 - 180))


def main() -> None:
    """Draw, find, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sheets", type=int, default=24)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--px-per-mm", type=float, default=4.0)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    whole = found = free = free_found = crops = true_crops = 0
    errors: list[tuple[float, bool, bool]] = []
    milliseconds = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        draw_herbarium(out, sheets=arguments.sheets, seed=arguments.seed, px_per_mm=arguments.px_per_mm, workers=1)
        for line in (out / "truth" / "truth.jsonl").read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            path = out / record["path"]
            image = np.asarray(Image.open(path).convert("RGB"), dtype=np.uint8)
            leaves = np.asarray(Image.open(out / "truth" / "leaves" / f"{path.stem}.png"), dtype=np.uint8)
            scale = REDUCED_SIDE / max(image.shape[:2])
            reduced = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
            start = time.process_time()
            plant = find_plant(reduced, size=(image.shape[1], image.shape[0]))
            plans = find_crops(reduced, plant, leaves=100, tiles=0, whole_plant=False)
            milliseconds.append(1000 * (time.process_time() - start))
            plans = [plan for plan in plans if plan.kind is CropKind.LEAF]
            crops += len(plans)
            numbers = [leaf["number"] for leaf in record["leaves"]]
            table = np.array([[overlap(plan, leaves, number) for number in numbers] for plan in plans])
            table = table.reshape(len(plans), len(numbers))
            true_crops += int((table.max(axis=1, initial=0) >= FOUND).sum())
            for column, leaf in enumerate(record["leaves"]):
                if leaf["visible_fraction"] < WHOLE or leaf["overlapped"]:
                    continue
                whole += 1
                is_free = not touches_another(leaves, leaf["number"])
                free += is_free
                if not plans or table[:, column].max() < FOUND:
                    continue
                found += 1
                free_found += is_free
                plan = plans[int(table[:, column].argmax())]
                errors.append((turn_error(plan, leaf), plan.axis_clear, plan.apex_clear))
    turned = np.array([error for error, _, apex in errors if apex])
    lines = np.array([min(error, 180 - error) for error, axis, _ in errors if axis])
    print("| on drawn sheets | |\n|---|---:|")
    print(
        f"| whole and free leaves found (IoU >= {FOUND}) | {free_found} of {free} ({free_found / max(1, free):.0%}) |"
    )
    print(f"| whole leaves found, also those lying on others | {found} of {whole} ({found / max(1, whole):.0%}) |")
    print(f"| leaf crops that are one drawn leaf | {true_crops} of {crops} ({true_crops / max(1, crops):.0%}) |")
    print(f"| midrib said to be clear | {len(lines)} of {found}; off by median {np.median(lines):.1f} degrees |")
    print(f"| ... within 15 degrees | {np.mean(lines <= 15):.0%} |")
    print(f"| apex said to be clear | {len(turned)} of {found} |")
    print(f"| ... and is up (within 90 degrees) | {np.mean(turned < 90):.0%} |")
    print(f"| mask and crops found, median of one core | {np.median(milliseconds):.0f} ms |")


if __name__ == "__main__":
    main()
