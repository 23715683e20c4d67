"""Measure how many answers change where the photo is turned, mirrored, compressed anew or halved.

Each of N test images of a run is identified as it is and in eight copies. An answer is the name, or the reason for
having none. It is steady if the copy has the same answer, or if one of the two is `ambiguous`.

    python scripts/measure_stability.py runs/bench-remp
    python scripts/measure_stability.py runs/bench-viola --characters
    python scripts/measure_stability.py runs/bench-viola --keep viola.csv --minutes 5  # again and again, to the end
"""

from __future__ import annotations

import argparse
import csv
import io
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from leafid.identify import Identifier, Photo, Record
from leafid.images import open_image
from leafid.learning import Run

COPIES = ("as it is", "90 degrees", "180 degrees", "270 degrees", "mirrored", "JPEG 85", "WebP 80", "PNG", "half size")
COLUMNS = ("image", "copy", "name", "reason", "probability", "no_leaf", "veins", "seconds")
KINDS = ("same", "ambiguous", "other name", "named or refused")

Answer = dict[str, str]
"""A row of the table that ``--keep`` names."""


def copies(path: Path) -> Iterator[Photo]:
    """Yield a photo in the forms of ``COPIES``; those that are turned are not compressed again."""
    rgb = open_image(path).rgb
    yield path
    for turn in (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270):
        yield np.asarray(rgb.transpose(turn))
    yield np.asarray(rgb.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    yield _saved(rgb, "JPEG", quality=85)
    yield _saved(rgb, "WEBP", quality=80)
    yield _saved(rgb, "PNG", compress_level=1)
    yield _saved(rgb.resize((rgb.width // 2, rgb.height // 2), Image.Resampling.LANCZOS), "PNG", compress_level=1)


def _saved(image: Image.Image, form: str, **options: int) -> bytes:
    content = io.BytesIO()
    image.save(content, form, **options)
    return content.getvalue()


def identify(identifier: Identifier, path: Path, *, characters: bool) -> list[Answer]:
    """Return the answers to the copies of a photo."""
    rows = []
    for copy, photo in zip(COPIES, copies(path), strict=True):
        started = time.process_time()
        (record,) = identifier.identify([photo], characters=characters)
        rows.append(_answer(record, path, copy) | {"seconds": f"{time.process_time() - started:.2f}"})
    return rows


def _answer(record: Record, path: Path, copy: str) -> Answer:
    return {
        "image": path.name,
        "copy": copy,
        "name": record.scientific_name or "",
        "reason": record.reason_code or "",
        "probability": str(record.probability or 0.0),
        "no_leaf": str(record.leaf_check == "no_leaf"),
        "veins": str(record.secondary_vein_pairs or ""),
    }


def change(before: Answer, after: Answer) -> str:
    """Return how an answer changed: same, ambiguous (in one of the two), other name, or named against refused."""
    first, second = (one["name"] or one["reason"] for one in (before, after))
    if first == second:
        return "same"
    if "ambiguous" in (first, second):
        return "ambiguous"
    return "other name" if before["name"] and after["name"] else "named or refused"


def report(rows: list[Answer], *, characters: bool) -> None:
    """Print the shares of changed answers by copy."""
    counts: dict[str, Counter[str]] = {copy: Counter() for copy in COPIES[1:]}
    moved: dict[str, float] = dict.fromkeys(COPIES, 0.0)
    leaves: Counter[str] = Counter()
    first: Answer = {}
    for row in rows:
        if row["copy"] == COPIES[0]:
            first = row
            continue
        counts[row["copy"]][change(first, row)] += 1
        moved[row["copy"]] += abs(float(first["probability"]) - float(row["probability"]))
        veins = {first["veins"], row["veins"]}
        leaves["a leaf in one only"] += first["no_leaf"] != row["no_leaf"]
        leaves["veins counted in one only"] += "" in veins and len(veins) == 2
        leaves["another number of veins"] += "" not in veins and len(veins) == 2
    images = len(rows) // len(COPIES)
    print(f"{images} test images; change of the answer, in %; mean change of the probability")
    for copy in COPIES[1:]:
        shares = ", ".join(f"{kind} {100 * counts[copy][kind] / images:.1f}" for kind in KINDS)
        print(f"  {copy:12} {shares}; {moved[copy] / images:.3f}")
    total = sum(counts.values(), Counter())
    number = total.total()
    changed = total["other name"] + total["named or refused"]
    print(
        f"  all: changed {100 * changed / number:.2f} % (other name {100 * total['other name'] / number:.2f} %), "
        f"ambiguous in one of the two {100 * total['ambiguous'] / number:.2f} %"
    )
    if characters:
        print("  leaf parser:", ", ".join(f"{kind} {100 * count / number:.1f} %" for kind, count in leaves.items()))


def kept(table: Path | None) -> list[Answer]:
    """Return the answers of an earlier call; the copies of an image are written together."""
    if table is None or not table.exists():
        return []
    with table.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    return rows[: len(rows) // len(COPIES) * len(COPIES)]


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--bundle", type=Path, help="another bundle than the run's, such as a copy with an engine")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--characters", action="store_true", help="also compare what the leaf parser finds")
    parser.add_argument("--keep", type=Path, help="table of answers, which a later call continues")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many, with --keep")
    options = parser.parse_args()
    run = Run.open(options.run)
    test = run.split[run.split["split"] == "test"]
    sampled = np.linspace(0, len(test) - 1, min(options.images, len(test))).round().astype(int)
    chosen = run.image_paths(test.iloc[np.random.default_rng(0).permutation(sampled)])  # so that a part is a fair one
    identifier = Identifier.load(options.bundle or options.run, device="cpu", engine=options.engine)
    rows, end = kept(options.keep), time.monotonic() + 60 * options.minutes
    for path in chosen[len(rows) // len(COPIES) :]:
        if time.monotonic() > end:
            break
        rows += identify(identifier, path, characters=options.characters)
        if options.keep is not None:
            with options.keep.open("w", encoding="utf-8", newline="") as opened:
                writer = csv.DictWriter(opened, COLUMNS)
                writer.writeheader()
                writer.writerows(rows)
    report(rows, characters=options.characters)


if __name__ == "__main__":
    main()
