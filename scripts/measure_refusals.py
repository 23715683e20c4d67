"""Measure what identification refuses: blurred copies of good photos, and pictures without a plant.

Blurred pictures are test images of a run with increasing blur. Pictures without a plant are synthetic sheets with
everything but the plant, synthetic labels, and the largest squares of real sheets that contain no plant (exact masks).

    python scripts/measure_refusals.py runs/bench-remp --masks ../shared/sheets/masks_kymillev
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from leafid.bundle import read_bundle
from leafid.demo import HERBARIA
from leafid.demo.furniture import (
    Desk,
    lay_barcode,
    lay_colour_chart,
    lay_label,
    lay_pocket,
    lay_ruler,
    press_stamp,
)
from leafid.demo.paper import bare_sheet, photographed
from leafid.identify import Identifier
from leafid.images import open_image
from leafid.learning import Run

BLURS = (0.0, 0.002, 0.004, 0.008, 0.016, 0.032)
"""Standard deviation of the blur, as a share of the image's shorter side."""

LINES = ["Mitragyna speciosa Korth.", "A. Collector  123", "12 May 1931"]
PX_PER_MM = 3.0


def bare_sheets(count: int) -> Iterator[NDArray[np.uint8]]:
    """Draw sheets with ruler, chart, label and stamp but without a plant."""
    for seed in range(count):
        rng, herbarium = np.random.default_rng(seed), HERBARIA[seed % len(HERBARIA)]
        desk = Desk(bare_sheet(herbarium, PX_PER_MM, rng), PX_PER_MM)
        for lay in (lay_ruler, lay_colour_chart, lay_pocket, press_stamp):
            lay(desk, herbarium, rng)
        lay_label(desk, herbarium, herbarium.label, LINES, rng)
        lay_barcode(desk, herbarium, f"K{seed:09d}", rng)
        yield photographed(desk.image, rng)


def labels(count: int) -> Iterator[NDArray[np.uint8]]:
    """Draw labels that fill the whole picture."""
    for seed in range(count):
        rng, herbarium = np.random.default_rng(seed), HERBARIA[seed % len(HERBARIA)]
        width, height = (round(side * 6) for side in herbarium.label_size)
        desk = Desk(np.full((height, width, 3), 240, dtype=np.uint8), 6.0)
        lay_label(desk, herbarium, (0, 0), LINES, rng)
        yield photographed(desk.image, rng)


def plantless_parts(masks: Path) -> Iterator[NDArray[np.uint8]]:
    """Cut the largest square without a plant out of each sheet."""
    for mask_path in sorted((masks / "plant_masks").glob("*.png")):
        rgb = np.asarray(open_image(next((masks / "img").glob(f"{mask_path.stem}.*"))).rgb)
        mask = np.asarray(Image.open(mask_path).convert("L").resize(rgb.shape[1::-1], Image.Resampling.NEAREST)) > 0
        framed = np.pad(~mask, 1).astype(np.uint8)  # a square must lie inside the image
        distance = cv2.distanceTransform(framed, cv2.DIST_C, 3)
        half = int(distance.max()) - 1
        row, column = (int(index) - 1 for index in np.unravel_index(int(distance.argmax()), distance.shape))
        yield np.ascontiguousarray(rgb[row - half : row + half, column - half : column + half])


def reason_shares(identifier: Identifier, pictures: Iterator[NDArray[np.uint8]]) -> dict[str, float]:
    """Identify pictures; return their number, the share named, and the share of each reason for a refusal."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, pixels in enumerate(pictures):
            paths.append(Path(folder) / f"{number}.jpg")
            Image.fromarray(pixels).save(paths[-1], quality=92)
        reasons = Counter(record.reason_code or "named" for record in identifier.identify(paths))
    total = sum(reasons.values())
    return {"images": total, **{reason: count / total for reason, count in sorted(reasons.items())}}


def main() -> None:
    """Measure the refusals and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="finished run")
    parser.add_argument("--bundle", type=Path, help="another bundle of the run, such as a recalibrated one")
    parser.add_argument("--masks", type=Path, help="sheets (img/) with exact masks (plant_masks/)")
    parser.add_argument("--images", type=int, default=40, help="number of test images to blur (default: 40)")
    arguments = parser.parse_args()
    run = Run.open(arguments.run)
    identifier = Identifier.load(arguments.bundle or arguments.run)
    print(f"{read_bundle(arguments.bundle or run.bundle_folder).info.identifier}\n{identifier.info.decision}")
    test = run.split[run.split["split"] == "test"]
    sampled = np.random.default_rng(0).permutation(len(test))[: arguments.images]
    photos = [np.asarray(open_image(path).rgb) for path in run.image_paths(test.iloc[sampled])]
    table = {}
    for blur in BLURS:
        blurred = (cv2.GaussianBlur(photo, (0, 0), blur * min(photo.shape[:2])) if blur else photo for photo in photos)
        pictures = (np.asarray(picture, np.uint8) for picture in blurred)
        table[f"test images, blur {blur:.1%}"] = reason_shares(identifier, pictures)
    table["synthetic sheets without a plant"] = reason_shares(identifier, bare_sheets(20))
    table["synthetic labels"] = reason_shares(identifier, labels(20))
    if arguments.masks:
        table["parts of real sheets without a plant"] = reason_shares(identifier, plantless_parts(arguments.masks))
    print(pd.DataFrame(table).T.fillna(0).round(3).to_string())


if __name__ == "__main__":
    main()
