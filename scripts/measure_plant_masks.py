"""Measure plant masks against true masks: sheets (kymillev), leaves on paper (coffee), drawn sheets.

Prints Markdown. The thresholds of `leafid.sheets` were chosen on every second sheet (1st, 3rd, ...) and on sheets
without true masks; the others are reported apart. They are not quite unseen: one rule, for rulers at the sheet's edge,
was made after a ruler had been missed on 14673, and moved their mean from 0.971 to 0.976. The true mask of 25764 counts
patches of a colour chart as plant. "Furniture" counts connected false-positive pieces of at least 0.05 % of the image
(about 60 mm2 on a full sheet: a quarter of a barcode, a line of text) that lie more than 8 px (at 1024) from any true
plant, so that wide edges of leaves, tape and shadows do not count.

    python scripts/measure_plant_masks.py --shared ../shared
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets import find_plant

FURNITURE_SHARE = 0.0005
FURNITURE_DISTANCE = 8


def read(path: Path) -> NDArray[np.uint8]:
    """Read an image as RGB, straight from OpenCV: what is measured here is the mask, not the reading."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SystemExit(f"{path} cannot be read.")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def intersection_over_union(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Pixels in both over pixels in either; 1 where both are empty."""
    either = int((found | truth).sum())
    return int((found & truth).sum()) / either if either else 1.0


def furniture_share(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Share of the image in pieces of furniture counted as plant; see the module's docstring."""
    near = cv2.dilate(truth.astype(np.uint8), np.ones((2 * FURNITURE_DISTANCE + 1,) * 2, np.uint8)) > 0
    _, _, stats, _ = cv2.connectedComponentsWithStats((found & ~near).astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA] / found.size
    return float(areas[areas >= FURNITURE_SHARE].sum())


def measure(pairs: list[tuple[Path, Path]], overlays: Path | None) -> list[tuple[str, float, float, float]]:
    """Name, IoU, furniture share and milliseconds of one core for each image and its true mask."""
    rows = []
    for image_path, mask_path in pairs:
        image = read(image_path)
        truth = read(mask_path).max(axis=2) > 100
        start = time.process_time()
        found = find_plant(image).full()
        elapsed = time.process_time() - start
        rows.append(
            (image_path.stem, intersection_over_union(found, truth), furniture_share(found, truth), 1000 * elapsed)
        )
        if overlays is not None:
            overlays.mkdir(parents=True, exist_ok=True)
            shown = image.copy()
            for area, colour in (
                (found & truth, (0, 200, 0)),
                (found & ~truth, (255, 0, 0)),
                (truth & ~found, (0, 0, 255)),
            ):
                shown[area] = (0.3 * shown[area] + 0.7 * np.array(colour)).astype(np.uint8)
            cv2.imwrite(str(overlays / f"{image_path.stem}.png"), cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))
    return rows


def table(title: str, rows: list[tuple[str, float, float, float]], per_image: bool) -> None:
    """Print one Markdown table with a summary line."""
    print(f"\n### {title}\n\n| image | IoU | furniture as plant, % of image | CPU ms |\n|---|---:|---:|---:|")
    if per_image:
        for name, iou, furniture, elapsed in rows:
            print(f"| {name} | {iou:.3f} | {100 * furniture:.2f} | {elapsed:.0f} |")
    ious = np.array([row[1] for row in rows])
    with_furniture = sum(row[2] > 0 for row in rows)
    elapsed_median = np.median([row[3] for row in rows])
    print(
        f"| **mean of {len(rows)}** (lowest {ious.min():.3f}) | **{ious.mean():.3f}** | on {with_furniture} images | "
        f"median {elapsed_median:.0f} |"
    )


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with sheets/ and veins/")
    parser.add_argument("--drawn", type=int, default=0, help="also measure this many drawn sheets")
    parser.add_argument("--overlays", type=Path, help="write overlays here: green right, red too much, blue missed")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    sheets = arguments.shared / "sheets" / "masks_kymillev"
    coffee = arguments.shared / "veins" / "coffee"
    pairs = [(path, sheets / "plant_masks" / f"{path.stem}.png") for path in sorted((sheets / "img").glob("*.jpg"))]
    if pairs:
        rows = measure(pairs, arguments.overlays)
        table("Sheets, half used for choosing thresholds", rows[::2], per_image=True)
        table("Sheets, other half", rows[1::2], per_image=True)
        table("Sheets, all", rows, per_image=False)
    pairs = [(path, coffee / "masks" / f"{path.stem}.png") for path in sorted((coffee / "images").glob("*.jpg"))]
    if pairs:
        table("Coffee leaves", measure(pairs, arguments.overlays), per_image=False)
    if arguments.drawn:
        from leafid.demo import draw_herbarium

        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            draw_herbarium(out, sheets=arguments.drawn, seed=7, workers=1)
            truths = out / "truth" / "plant"
            pairs = [(path, truths / f"{path.stem}.png") for path in sorted((out / "images").glob("*.jpg"))]
            table("Drawn sheets", measure(pairs, arguments.overlays), per_image=False)


if __name__ == "__main__":
    main()
