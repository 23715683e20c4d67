"""Write the drawn herbarium to disk: images, a table that a folder source can read, and the truth.

out/sheets.csv                      one row per sheet, Darwin Core column names; missing values are empty
out/images/000000.jpg
out/truth/plant/000000.png          0 or 255
out/truth/leaves/000000.png         0 none, 1..n blades, 255 twig and petioles
out/truth/veins/000000.png          0 none, 1 midrib, 2 secondary, 3 tertiary
out/truth/furniture/000000.png      0 none, else a value of `Furniture`
out/truth/truth.jsonl               one record per sheet, see `truth_record`
"""

import csv
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from leafid.cores import usable_cores
from leafid.demo.gatherings import SheetSpec, sheet_spec
from leafid.demo.sheet import DrawnSheet, SheetLeaf, draw_sheet
from leafid.demo.taxa import FAMILY, leaf_ranges
from leafid.demo.writing import PNG_OPTIONS, in_order, make_folders, rounded, write_image
from leafid.errors import UsageError

DEFAULT_PX_PER_MM = 4.0

COLUMNS = (
    "path", "scientificName", "taxonRank", "family", "genus", "institutionCode", "catalogNumber", "recordedBy",
    "recordNumber", "eventDate", "domain", "license", "rightsHolder", "references",
)  # fmt: skip

_JPEG_QUALITY = 90


def draw_herbarium(
    out: Path,
    *,
    sheets: int,
    seed: int = 0,
    px_per_mm: float = DEFAULT_PX_PER_MM,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw a herbarium of `sheets` sheets into the folder `out` and return the path of its `sheets.csv`.

    A sheet depends on `seed` and its index only. So the number of workers does not matter, and a larger herbarium
    begins with the same sheets. Every taxon has at least `sheets // 6` sheets. From 24 sheets on every taxon is in
    every herbarium.

    Args:
        out: folder; it is created if missing, and existing drawings in it are overwritten.
        sheets: number of sheets, at least 1.
        seed: 0 or more.
        px_per_mm: scale, 0.5 to 20; a sheet measures 300 x 440 mm.
        workers: number of processes, by default the usable cores; 1 draws in this process.
        on_progress: called with the number of drawn sheets and of all sheets after each sheet.

    Raises:
        UsageError: a number is outside its range; the message lists all of them.
        OutputError: the folder cannot be written.
    """
    _check(sheets, seed, px_per_mm, workers)
    folders = ("images", "truth/plant", "truth/leaves", "truth/veins", "truth/furniture")
    make_folders(out, folders, "The drawn herbarium")
    draw = partial(_draw_one, out=out, seed=seed, px_per_mm=px_per_mm)
    workers = min(workers or usable_cores(), sheets)
    with (
        (out / "sheets.csv").open("w", encoding="utf-8", newline="") as table,
        (out / "truth" / "truth.jsonl").open("w", encoding="utf-8") as truth,
    ):
        rows = csv.DictWriter(table, COLUMNS, lineterminator="\n")
        rows.writeheader()
        for index, (row, record) in enumerate(in_order(draw, sheets, workers)):
            rows.writerow(row)
            truth.write(json.dumps(record) + "\n")
            if on_progress is not None:
                on_progress(index + 1, sheets)
    return out / "sheets.csv"


def truth_record(sheet: DrawnSheet) -> dict[str, Any]:
    """Return the truth about a sheet as plain values; `_leaf_record` gives the fields of its leaves."""
    spec = sheet.spec
    return {
        "path": f"images/{spec.index:06d}.jpg",
        "seed": spec.seed,
        "index": spec.index,
        "scientificName": spec.taxon,
        "institutionCode": spec.herbarium.code,
        "gathering_id": spec.gathering.gathering_id,
        "px_per_mm": spec.px_per_mm,
        "width_px": sheet.image.shape[1],
        "height_px": sheet.image.shape[0],
        "leaves": [_leaf_record(leaf) for leaf in sheet.drawn],
    }


def _leaf_record(placed: SheetLeaf) -> dict[str, Any]:
    """Return the truth about one leaf. Geometry is that of the intact, unfolded leaf; masks show its visible part."""
    leaf = placed.leaf
    traits, blade = leaf.traits, leaf.blade
    midrib = placed.midrib_px
    outline = placed.outline_px
    return {
        "number": placed.number,
        "face": leaf.face,
        "base_px": rounded(midrib[0]),
        "apex_px": rounded(midrib[-1]),
        "midrib_px": rounded(midrib[::4]),
        "outline_px": rounded(outline[::2]),
        "bbox_px": rounded(np.concatenate([outline.min(axis=0), outline.max(axis=0)])),
        "petiole_px": rounded(placed.petiole_px),
        "length_mm": round(traits.length_mm, 2),
        "width_mm": round(blade.width_mm(), 2),
        "length_to_width": round(traits.length_mm / blade.width_mm(), 3),
        "widest_at": round(traits.widest, 3),
        "shape": traits.shape,
        "apex_form": traits.apex_form,
        "apex_angle_deg": round(blade.apex_angle_deg(), 1),
        "tip_mm": round(traits.tip_mm, 2),
        "base_form": traits.base_form,
        "base_angle_deg": round(blade.base_angle_deg(), 1),
        "sinus_mm": round(blade.sinus_mm, 2),
        "vein_pairs": [len(leaf.venation.left), len(leaf.venation.right)],
        "vein_angle_deg": round(leaf.venation.mean_angle_deg(), 1),
        "petiole_mm": round(traits.petiole_mm, 2),
        "folded": leaf.folded,
        "torn": leaf.torn,
        "overlapped": placed.overlapped,
        "visible_fraction": round(placed.visible_fraction, 3),
    }


def _sheet_row(spec: SheetSpec) -> dict[str, str]:
    gathering, herbarium = spec.gathering, spec.herbarium
    return {
        "path": f"images/{spec.index:06d}.jpg",
        "scientificName": spec.taxon,
        "taxonRank": "species",
        "family": FAMILY,
        "genus": leaf_ranges(spec.taxon).genus,
        "institutionCode": herbarium.code,
        "catalogNumber": spec.catalog_number,
        "recordedBy": gathering.collector,
        "recordNumber": gathering.number,
        "eventDate": gathering.date.isoformat(),
        "domain": "drawn",  # no basisOfRecord: there is no specimen
        "license": herbarium.license,
        "rightsHolder": herbarium.name if herbarium.license else "",
        "references": "",
    }


def _draw_one(index: int, *, out: Path, seed: int, px_per_mm: float) -> tuple[dict[str, str], dict[str, Any]]:
    sheet = draw_sheet(sheet_spec(index, seed=seed, px_per_mm=px_per_mm))
    name = f"{index:06d}"
    write_image(out / "images" / f"{name}.jpg", sheet.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    masks = {
        "plant": sheet.plant.astype(np.uint8) * 255,
        "leaves": sheet.leaves,
        "veins": sheet.veins,
        "furniture": sheet.furniture,
    }
    for kind, mask in masks.items():
        write_image(out / "truth" / kind / f"{name}.png", mask, PNG_OPTIONS)
    return _sheet_row(sheet.spec), truth_record(sheet)


def _check(sheets: int, seed: int, px_per_mm: float, workers: int | None) -> None:
    mistakes = []
    if sheets < 1:
        mistakes.append(f"sheets is {sheets}, but at least 1 must be drawn")
    if seed < 0:
        mistakes.append(f"seed is {seed}, but it must be 0 or more")
    if not 0.5 <= px_per_mm <= 20:
        mistakes.append(f"px_per_mm is {px_per_mm}, but it must be from 0.5 to 20")
    if workers is not None and workers < 1:
        mistakes.append(f"workers is {workers}, but at least 1 is needed")
    if mistakes:
        raise UsageError("A herbarium cannot be drawn like this: " + "; ".join(mistakes) + ".")
