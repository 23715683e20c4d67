"""Drawn photographs on disk: images, a table, and the truth beside them.

out/photographs.csv                 one row per photograph
out/images/000000.jpg
out/truth/leaves/000000.png         0 no leaf in focus, 1..n the visible blades; a leaf in front has a higher number
out/truth/truth.jsonl               one record per photograph, see `photograph_record`
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
from leafid.demo.photograph import LARGEST, SMALLEST, draw_photograph
from leafid.demo.photographs.truth import DrawnPhotograph, PhotographedLeaf
from leafid.demo.writing import PNG_OPTIONS, in_order, make_folders, rounded, write_image
from leafid.errors import UsageError

COLUMNS = ("path", "seed", "width_px", "height_px", "arrangement", "ground", "leaves")

_JPEG_QUALITY = 95  # what is drawn was already compressed as on the web
_SEEDS = 1_000_000  # seeds of one album; photograph i of album s has the seed s * _SEEDS + i


def draw_album(
    out: Path,
    *,
    photographs: int,
    seed: int = 0,
    long_side: int | None = None,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw photographs into the folder `out` and return the path of its `photographs.csv`.

    A photograph follows from `seed`, its index and `long_side` alone: the number of workers does not matter, and a
    larger album begins with the same photographs.

    Args:
        out: folder, made if it is missing; drawings already there are written over.
        photographs: 1 to 1,000,000.
        seed: 0 or more.
        long_side: of every image in pixels, 150 to 4000; mixed if not given.
        workers: processes; the number of usable cores if not given, 1 draws in this process.
        on_progress: called with (photographs drawn, photographs in all) after each.

    Raises:
        UsageError: a number is out of its range.
        OutputError: the folder cannot be written.
    """
    _check(photographs, seed, long_side, workers)
    make_folders(out, ("images", "truth/leaves"), "The drawn photographs")
    draw = partial(_draw_one, out=out, seed=seed, long_side=long_side)
    workers = min(workers or usable_cores(), photographs)
    with (
        (out / "photographs.csv").open("w", encoding="utf-8", newline="") as table,
        (out / "truth" / "truth.jsonl").open("w", encoding="utf-8") as truth,
    ):
        rows = csv.DictWriter(table, COLUMNS, lineterminator="\n")
        rows.writeheader()
        for index, record in enumerate(in_order(draw, photographs, workers)):
            rows.writerow({**{column: record[column] for column in COLUMNS}, "leaves": len(record["leaves"])})
            truth.write(json.dumps(record) + "\n")
            if on_progress is not None:
                on_progress(index + 1, photographs)
    return out / "photographs.csv"


def photograph_record(drawn: DrawnPhotograph) -> dict[str, Any]:
    """Return what is known about a photograph as plain values; fields of leaves as in `PhotographedLeaf`."""
    return {
        "width_px": drawn.image.shape[1],
        "height_px": drawn.image.shape[0],
        "arrangement": drawn.arrangement,
        "ground": drawn.ground,
        "leaves": [_leaf_record(leaf, number) for number, leaf in enumerate(drawn.leaves, start=1)],
    }


def _leaf_record(leaf: PhotographedLeaf, number: int) -> dict[str, Any]:
    contours, _ = cv2.findContours(leaf.whole.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return {
        "number": number,
        "face": leaf.face,
        "base_px": rounded(leaf.base_xy),
        "apex_px": rounded(leaf.apex_xy),
        "midrib_px": rounded(leaf.midrib),
        "petiole_px": rounded(leaf.petiole),
        "left_px": [rounded(line) for line in leaf.left],
        "right_px": [rounded(line) for line in leaf.right],
        # Centres of the outermost pixels of the whole blade inside the frame, hidden parts included.
        "outlines_px": [rounded(contour[:, 0] + np.array(leaf.offset) + 0.5) for contour in contours],
        "visible_fraction": round(leaf.visible_fraction, 3),
        "veins_visible": round(leaf.veins_visible, 3),
        "facing": round(leaf.facing, 3),
        "cut_by_frame": leaf.cut_by_frame,
        "overlapped": leaf.overlapped,
        "folded": leaf.folded,
    }


def _draw_one(index: int, *, out: Path, seed: int, long_side: int | None) -> dict[str, Any]:
    own_seed = seed * _SEEDS + index
    drawn = draw_photograph(own_seed, long_side=long_side)
    path = f"images/{index:06d}.jpg"
    write_image(out / path, drawn.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    shape = (drawn.image.shape[0], drawn.image.shape[1])
    leaves = np.zeros(shape, np.uint8)
    for number, leaf in enumerate(drawn.leaves, start=1):
        leaves[leaf.visible_mask(shape)] = number
    write_image(out / "truth" / "leaves" / f"{index:06d}.png", leaves, PNG_OPTIONS)
    return {"path": path, "seed": own_seed, **photograph_record(drawn)}


def _check(photographs: int, seed: int, long_side: int | None, workers: int | None) -> None:
    mistakes = []
    if not 1 <= photographs <= _SEEDS:
        mistakes.append(f"the number of photographs is {photographs}, but it must be from 1 to {_SEEDS}")
    if seed < 0:
        mistakes.append(f"seed is {seed}, but it must be 0 or more")
    if long_side is not None and not SMALLEST <= long_side <= LARGEST:
        mistakes.append(f"long_side is {long_side}, but it must be from {SMALLEST} to {LARGEST}")
    if workers is not None and workers < 1:
        mistakes.append(f"workers is {workers}, but at least 1 is needed")
    if mistakes:
        raise UsageError("Photographs cannot be drawn like this: " + "; ".join(mistakes) + ".")
