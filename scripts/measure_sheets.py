"""Measure what leafid finds on a sheet against the truth: plant mask, leaf crops, ruler scale. Prints Markdown.

    python scripts/measure_sheets.py masks --shared ../shared [--synthetic 12] [--overlays FOLDER]
    python scripts/measure_sheets.py crops --sheets 24
    python scripts/measure_sheets.py scale --sheets 12 [IMAGE ...]

masks: plant masks against true masks of sheets (kymillev), leaves on paper (coffee) and synthetic sheets. The
thresholds of `leafid.sheets` were chosen on every second sheet (1st, 3rd, ...) and on sheets without true masks; the
other half is reported separately. It is not quite unseen: one rule, for rulers at the edge of a sheet, was made after a
ruler had been missed on 14673. The true mask of 25764 counts patches of a colour chart as plant. Furniture counts as
plant in connected false-positive pieces of at least 0.05 % of the image (about 60 mm2 on a full sheet: a quarter of a
barcode, a line of text) more than 8 px (at 1024) away from any true plant, so that wide edges of leaves, tape and
shadows do not count.

crops: leaf crops on synthetic sheets, where every leaf is known. A leaf is whole if at least 90 % of its blade is
visible and nothing overlaps it; it is free if it also does not touch another blade, so that its whole outline shows. It
is found if the best leaf crop covers it with an intersection over union (IoU) of at least 0.7, petioles excluded. The
turn is the angle between the crop's up and the line from the base to the apex: for found leaves whose apex is clear,
and, modulo 180 degrees, for those whose midrib is clear.

scale: ruler scale on synthetic sheets of known scale. Every second one is reduced to a scale at which ticks lie between
pixels. For images of unknown scale the result is printed, to be checked by eye; photos without a ruler must give none.

Times are CPU times of one core.
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
from leafid.demo.gatherings import sheet_spec
from leafid.demo.sheet import draw_sheet
from leafid.images import open_image
from leafid.sheets import CropKind, CropPlan, find_crops, find_plant, find_ruler_scale

FURNITURE_SHARE, FURNITURE_DISTANCE = 0.0005, 8  # of the image; pixels
FOUND_IOU, WHOLE_SHARE = 0.7, 0.9
TWIG = 255  # label of twigs and petioles in the truth of synthetic sheets
REDUCED_SIDE = 1024  # longer side of the image in which crops are searched
RULER_SEED, RULER_PX_PER_MM = 60818, 5.0


def measure_masks(options: argparse.Namespace) -> None:
    """Compare plant masks with true masks."""
    sheets, coffee = options.shared / "sheets" / "masks_kymillev", options.shared / "veins" / "coffee"
    pairs = [(path, sheets / "plant_masks" / f"{path.stem}.png") for path in sorted((sheets / "img").glob("*.jpg"))]
    if pairs:
        rows = mask_rows(pairs, options.overlays)
        print_masks("Sheets, half used to choose thresholds", rows[::2], per_image=True)
        print_masks("Sheets, other half", rows[1::2], per_image=True)
        print_masks("Sheets, all", rows, per_image=False)
    pairs = [(path, coffee / "masks" / f"{path.stem}.png") for path in sorted((coffee / "images").glob("*.jpg"))]
    if pairs:
        print_masks("Coffee leaves", mask_rows(pairs, options.overlays), per_image=False)
    if options.synthetic:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            draw_herbarium(out, sheets=options.synthetic, seed=7, workers=1)
            truths = out / "truth" / "plant"
            pairs = [(path, truths / f"{path.stem}.png") for path in sorted((out / "images").glob("*.jpg"))]
            print_masks("Synthetic sheets", mask_rows(pairs, options.overlays), per_image=False)


def mask_rows(pairs: list[tuple[Path, Path]], overlays: Path | None) -> list[tuple[str, float, float, float]]:
    """Return name, IoU, furniture share and CPU milliseconds for each image and its true mask."""
    rows = []
    for image_path, mask_path in pairs:
        image = read(image_path)
        truth = read(mask_path).max(axis=2) > 100
        start = time.process_time()
        found = find_plant(image).full()
        elapsed = time.process_time() - start
        rows.append((image_path.stem, mask_iou(found, truth), furniture_share(found, truth), 1000 * elapsed))
        if overlays is not None:
            overlays.mkdir(parents=True, exist_ok=True)
            picture = cv2.cvtColor(overlay(image, found, truth), cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(overlays / f"{image_path.stem}.png"), picture)
    return rows


def read(path: Path) -> NDArray[np.uint8]:
    """Read an image as RGB with OpenCV alone, since this measures the mask and not the reading."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SystemExit(f"{path} cannot be read: check that it is an image.")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def mask_iou(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Return the IoU of two masks; 1 where both are empty."""
    either = int((found | truth).sum())
    return int((found & truth).sum()) / either if either else 1.0


def furniture_share(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Return the share of the image in pieces of furniture that count as plant; see the module's docstring."""
    near = cv2.dilate(truth.astype(np.uint8), np.ones((2 * FURNITURE_DISTANCE + 1,) * 2, np.uint8)) > 0
    _, _, stats, _ = cv2.connectedComponentsWithStats((found & ~near).astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA] / found.size
    return float(areas[areas >= FURNITURE_SHARE].sum())


def overlay(image: NDArray[np.uint8], found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the image (H, W, 3) with true positives green, false positives red and false negatives blue."""
    shown = image.copy()
    for area, colour in ((found & truth, (0, 200, 0)), (found & ~truth, (255, 0, 0)), (truth & ~found, (0, 0, 255))):
        shown[area] = (0.3 * shown[area] + 0.7 * np.array(colour)).astype(np.uint8)
    return shown


def print_masks(title: str, rows: list[tuple[str, float, float, float]], per_image: bool) -> None:
    """Print one Markdown table with a summary line."""
    print(f"\n### {title}\n\n| image | IoU | furniture as plant, % of image | CPU ms |\n|---|---:|---:|---:|")
    if per_image:
        for name, iou, furniture, elapsed in rows:
            print(f"| {name} | {iou:.3f} | {100 * furniture:.2f} | {elapsed:.0f} |")
    ious = np.array([row[1] for row in rows])
    print(
        f"| **mean of {len(rows)}** (lowest {ious.min():.3f}) | **{ious.mean():.3f}** "
        f"| on {sum(row[2] > 0 for row in rows)} images | median {np.median([row[3] for row in rows]):.0f} |"
    )


def measure_crops(options: argparse.Namespace) -> None:
    """Compare leaf crops with the leaves of synthetic sheets."""
    whole = found = free = free_found = crops = true_crops = 0
    errors: list[tuple[float, bool, bool]] = []
    milliseconds = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        draw_herbarium(out, sheets=options.sheets, seed=options.seed, px_per_mm=options.px_per_mm, workers=1)
        for line in (out / "truth" / "truth.jsonl").read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            path = out / record["path"]
            image = np.asarray(Image.open(path).convert("RGB"), dtype=np.uint8)
            leaves = np.asarray(Image.open(out / "truth" / "leaves" / f"{path.stem}.png"), dtype=np.uint8)
            reduced = resized(image, REDUCED_SIDE / max(image.shape[:2]))
            start = time.process_time()
            plant = find_plant(reduced, size=(image.shape[1], image.shape[0]))
            plans = find_crops(reduced, plant, leaves=100, tiles=0, whole_plant=False)
            milliseconds.append(1000 * (time.process_time() - start))
            plans = [plan for plan in plans if plan.kind is CropKind.LEAF]
            crops += len(plans)
            numbers = [leaf["number"] for leaf in record["leaves"]]
            ious = np.array([[leaf_iou(plan, leaves, number) for number in numbers] for plan in plans])
            ious = ious.reshape(len(plans), len(numbers))
            true_crops += int((ious.max(axis=1, initial=0) >= FOUND_IOU).sum())
            for column, leaf in enumerate(record["leaves"]):
                if leaf["visible_fraction"] < WHOLE_SHARE or leaf["overlapped"]:
                    continue
                whole += 1
                is_free = not touches_another(leaves, leaf["number"])
                free += is_free
                if not len(plans) or ious[:, column].max() < FOUND_IOU:
                    continue
                found += 1
                free_found += is_free
                plan = plans[int(ious[:, column].argmax())]
                errors.append((turn_error(plan, leaf), plan.axis_clear, plan.apex_clear))
    turned = np.array([error for error, _, apex in errors if apex])
    lines = np.array([min(error, 180 - error) for error, axis, _ in errors if axis])
    print("| on synthetic sheets | |\n|---|---:|")
    print(f"| whole free leaves found (IoU >= {FOUND_IOU}) | {shown_share(free_found, free)} |")
    print(f"| whole leaves found, including those that lie on others | {shown_share(found, whole)} |")
    print(f"| leaf crops that are one leaf | {shown_share(true_crops, crops)} |")
    print(f"| clear midrib | {len(lines)} of {found}; median error {np.median(lines):.1f} degrees |")
    print(f"| ... within 15 degrees | {np.mean(lines <= 15):.0%} |")
    print(f"| clear apex | {len(turned)} of {found} |")
    print(f"| ... points up (within 90 degrees) | {np.mean(turned < 90):.0%} |")
    print(f"| search for mask and crops, median | {np.median(milliseconds):.0f} ms |")


def resized(image: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Return the image (H, W, 3) reduced by a factor below 1."""
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def shown_share(part: int, whole: int) -> str:
    """Return a share as text: ``21 of 23 (91%)``."""
    return f"{part} of {whole} ({part / max(1, whole):.0%})"


def leaf_iou(plan: CropPlan, leaves: NDArray[np.uint8], number: int) -> float:
    """Return the IoU of a planned crop and a true blade, twigs left out of both."""
    left, top, right, bottom = plan.box
    window = leaves[top:bottom, left:right]
    shape = cv2.resize(plan.shape.astype(np.uint8), (window.shape[1], window.shape[0]), interpolation=cv2.INTER_NEAREST)
    found = (shape > 0) & (window != TWIG)
    truth = window == number
    either = int((leaves == number).sum()) + int((found & ~truth).sum())
    return int((found & truth).sum()) / max(1, either)


def touches_another(leaves: NDArray[np.uint8], number: int) -> bool:
    """Return whether a blade borders on another one over more than 2 % of its outline."""
    own = (leaves == number).astype(np.uint8)
    ring = (cv2.dilate(own, np.ones((5, 5), np.uint8)) > 0) & (own == 0)
    others = ring & (leaves > 0) & (leaves != TWIG)
    return bool(others.sum() > 0.02 * ring.sum())


def turn_error(plan: CropPlan, leaf: dict[str, Any]) -> float:
    """Return the degrees, 0 to 180, between the crop's up and the direction from base to apex."""
    (base_x, base_y), (apex_x, apex_y) = leaf["base_px"], leaf["apex_px"]
    direction = np.degrees(np.arctan2(-(apex_y - base_y), apex_x - base_x))  # counter-clockwise from the x axis
    return float(abs((direction + plan.angle - 90 + 180) % 360 - 180))


def measure_scale(options: argparse.Namespace) -> None:
    """Compare ruler scales with those of synthetic sheets, and print those of images."""
    errors, seconds = [], []
    for number in range(options.sheets):
        factor = 1.0 if number % 2 else float(np.random.default_rng([RULER_SEED, number]).uniform(0.65, 0.95))
        image = draw_sheet(sheet_spec(number, seed=RULER_SEED, px_per_mm=RULER_PX_PER_MM)).image
        if factor < 1:
            image = resized(image, factor)
        start = time.process_time()
        scale = find_ruler_scale(image)
        seconds.append(time.process_time() - start)
        if scale is not None:
            errors.append(abs(scale.px_per_mm / (RULER_PX_PER_MM * factor) - 1))
    if options.sheets:
        print("| synthetic sheets | scale found | mean error | largest | CPU |\n|---:|---:|---:|---:|---:|")
        mean, largest = (f"{np.mean(errors):.2%}", f"{max(errors):.2%}") if errors else ("", "")
        print(f"| {options.sheets} | {len(errors)} | {mean} | {largest} | {np.median(seconds):.2f} s |\n")
    for path in options.images:
        opened = open_image(path, needed_side=1600)
        scale = find_ruler_scale(np.asarray(opened.rgb, np.uint8))
        reduced = opened.rgb.width / opened.width
        text = "no scale" if scale is None else f"{scale.px_per_mm / reduced:.2f} px/mm from {scale.ticks} ticks"
        print(f"{path.name}: {text}")


def main() -> None:
    """Run one of the three measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    measurements = parser.add_subparsers(required=True, metavar="{masks,crops,scale}")
    masks = measurements.add_parser("masks")
    masks.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with sheets/ and veins/")
    masks.add_argument("--synthetic", type=int, default=0, help="also measure this many synthetic sheets")
    masks.add_argument("--overlays", type=Path, help="folder for overlays: green right, red too much, blue missed")
    masks.set_defaults(measure=measure_masks)
    crops = measurements.add_parser("crops")
    crops.add_argument("--sheets", type=int, default=24)
    crops.add_argument("--seed", type=int, default=7)
    crops.add_argument("--px-per-mm", type=float, default=4.0)
    crops.set_defaults(measure=measure_crops)
    scale = measurements.add_parser("scale")
    scale.add_argument("images", type=Path, nargs="*")
    scale.add_argument("--sheets", type=int, default=12, help="synthetic sheets")
    scale.set_defaults(measure=measure_scale)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    options.measure(options)


if __name__ == "__main__":
    main()
