"""Measure how many answers change where the photo is turned, mirrored, compressed anew or halved.

Each of N test images of a run is identified as it is and in eight copies. An answer is the name, or the reason for
having none. It is steady if the copy has the same answer, or if one of the two is `ambiguous`.

    python scripts/measure_stability.py runs/bench-remp
    python scripts/measure_stability.py runs/bench-viola --characters
"""

from __future__ import annotations

import argparse
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from leafid.identify import Identifier, Photo, Record
from leafid.images import open_image
from leafid.learning import Run

COPIES = ("as it is", "90 degrees", "180 degrees", "270 degrees", "mirrored", "JPEG 85", "WebP 80", "PNG", "half size")


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


def answer(record: Record) -> str:
    """Return the name, or the reason for having none."""
    return record.scientific_name or record.reason_code or ""


def change(before: Record, after: Record) -> str:
    """Return how an answer changed: same, ambiguous (in one of the two), other name, or named against refused."""
    first, second = answer(before), answer(after)
    if first == second:
        return "same"
    if "ambiguous" in (first, second):
        return "ambiguous"
    return "other name" if before.scientific_name and after.scientific_name else "named or refused"


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--characters", action="store_true", help="also compare what the leaf parser finds")
    options = parser.parse_args()
    run = Run.open(options.run)
    test = run.split[run.split["split"] == "test"]
    sampled = np.linspace(0, len(test) - 1, min(options.images, len(test))).round().astype(int)
    chosen = run.image_paths(test.iloc[sampled])
    identifier = Identifier.load(options.run, device="cpu", engine=options.engine)
    records = iter(
        identifier.identify((copy for path in chosen for copy in copies(path)), characters=options.characters)
    )
    counts: dict[str, Counter[str]] = {copy: Counter() for copy in COPIES[1:]}
    leaves: Counter[str] = Counter()
    largest: dict[str, float] = dict.fromkeys(COPIES[1:], 0.0)
    for _ in chosen:
        first = next(records)
        for copy in COPIES[1:]:
            record = next(records)
            counts[copy][change(first, record)] += 1
            moved = abs((first.probability or 0) - (record.probability or 0))
            largest[copy] += moved / len(chosen)
            if options.characters:
                found = {one.leaf_check == "no_leaf" for one in (first, record)}
                veins = {one.secondary_vein_pairs for one in (first, record)}
                leaves["a leaf in one only"] += len(found) == 2
                leaves["veins counted in one only"] += None in veins and len(veins) == 2
                leaves["another number of veins"] += None not in veins and len(veins) == 2
    kinds = ("same", "ambiguous", "other name", "named or refused")
    print(f"{len(chosen)} test images; change of the answer, in %; mean change of the probability")
    for copy in COPIES[1:]:
        shares = ", ".join(f"{kind} {100 * counts[copy][kind] / len(chosen):.1f}" for kind in kinds)
        print(f"  {copy:12} {shares}; {largest[copy]:.3f}")
    total = sum(counts.values(), Counter())
    number = total.total()
    changed = total["other name"] + total["named or refused"]
    print(
        f"  all: changed {100 * changed / number:.2f} % (other name {100 * total['other name'] / number:.2f} %), "
        f"ambiguous in one of the two {100 * total['ambiguous'] / number:.2f} %"
    )
    if options.characters:
        print("  leaf parser:", ", ".join(f"{kind} {100 * count / number:.1f} %" for kind, count in leaves.items()))


if __name__ == "__main__":
    main()
