"""Measure leaf characters against counts by eye, against the truth of synthetic leaves, and where no veins are visible.

    python scripts/measure_characters.py --shared ../shared > characters.md

- Counted by eye: `SHARED/veins/vein_counts.csv`; the truth is the mean of both counts. The constants were chosen on
  every second leaf (the first, third ...) and on synthetic leaves of other seeds; the other half has its own row.
- Synthetic leaves: six taxa, exact truth, at 5 px/mm, at half and a quarter of that, and with noise (12 grey levels).
- Absence: sheets of SHARED/sheets/unknown_species without a measurable leaf (grass-like plants, ferns, palms, compound
  and palmate leaves, fragments), selected by eye; thresholds were set with them in view. Labels, and the photos of
  *Piper betle* and *Ayapana triplinervis* in SHARED/bench, whose main veins come from the base, were not in view.

Times are CPU times of one thread, for measuring alone, for a leaf of about 1,000 pixels.
"""

import argparse
import csv
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.characters import LeafCharacters, Measurement, measure_file, measure_leaf
from leafid.demo import DEMO_TAXA, draw_leaf, sample_leaf, sample_plant

SEED = 60817
WITHOUT_LEAF = (
    "106387_153844 106466_169164 110432_293573 116853_190981 119986_193551 121841_86563 126895_86986 127007_87417 "
    "131736_300755 132107_310448 133595_315366 133617_272773 140367_260937 141332_196410 141336_196598 142550_265709 "
    "143496_197346 143706_198646 143758_202348 144394_190379 145020_88748 148977_291337 151469_308321 166822_172042 "
    "177730_280879 177775_304272 189669_305917 191642_50294 194035_172640 211059_188212"
)


@dataclass(frozen=True)
class Counted:
    """One leaf: errors of the counts left and right (None without a count), and relative error of length:width."""

    path: str
    taxon: str
    errors: tuple[float, float] | None
    ratio: float | None


def main() -> int:
    """Run the measurements and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--synthetic", type=int, default=60, help="number of synthetic leaves")
    parser.add_argument("--only", choices=("counted", "synthetic", "absence"), help="print only this part")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.only in (None, "counted"):
        report_counted(arguments.shared / "veins" / "vein_counts.csv")
    if arguments.only in (None, "synthetic"):
        report_synthetic(arguments.synthetic)
        report_petioles_and_margins(arguments.synthetic // 3)
    if arguments.only in (None, "absence"):
        report_absence(arguments.shared)
    return 0


def report_counted(table: Path) -> None:
    """Compare vein counts with counts by eye."""
    if not table.is_file():
        print(f"{table} is missing: skipping the counts by eye. Name another folder with --shared.", file=sys.stderr)
        return
    with table.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    leaves = [_counted(table.parent, row) for row in rows]
    print("| leaves counted by eye | sides counted | mean absolute error | within 1 | length:width within 6 % |")
    print("|---|---:|---:|---:|---:|")
    for title, selected in (("tuned on", leaves[0::2]), ("other half", leaves[1::2])):
        print(f"| {title} | {_count_cells(selected)} |")
    by_taxon: dict[str, list[Counted]] = defaultdict(list)
    for leaf in leaves:
        by_taxon[leaf.taxon].append(leaf)
    for taxon, selected in sorted(by_taxon.items()):
        print(f"| {taxon} | {_count_cells(selected)} |")
    worst = sorted((leaf for leaf in leaves if leaf.errors), key=lambda leaf: -max(map(abs, leaf.errors or ())))[:10]
    print("\nWorst (left, right): " + "; ".join(f"{leaf.path} {leaf.errors}" for leaf in worst) + "\n")


def _counted(folder: Path, row: dict[str, str]) -> Counted:
    truth = [(int(row[f"{side}_1"]) + int(row[f"{side}_2"])) / 2 for side in ("left", "right")]
    found = measure_file(folder / row["path"], leaves=1).leaves
    characters = found[0].measured.characters if found else LeafCharacters()
    left, right, ratio = (
        characters.secondary_veins_left,
        characters.secondary_veins_right,
        characters.length_width_ratio,
    )
    return Counted(
        Path(row["path"]).stem,
        row["label"],
        (left.value - truth[0], right.value - truth[1]) if left and right else None,
        ratio.value / float(row["length_width_ratio"]) - 1 if ratio else None,
    )


def _count_cells(leaves: Sequence[Counted]) -> str:
    errors = np.abs([error for leaf in leaves if leaf.errors for error in leaf.errors])
    within = sum(leaf.ratio is not None and abs(leaf.ratio) <= 0.06 for leaf in leaves)
    if not len(errors):
        return f"0 of {2 * len(leaves)} | | | {within} of {len(leaves)}"
    sides = f"{len(errors)} of {2 * len(leaves)}"
    return f"{sides} | {errors.mean():.2f} | {np.mean(errors <= 1):.0%} | {within} of {len(leaves)}"


def report_synthetic(count: int) -> None:
    """Compare with the truth of synthetic leaves at several resolutions, and with noise."""
    print(
        "| synthetic leaves | counted | pairs, error per side | within 1 | angle | length | width | base | apex | CPU |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for title, factor, noise in (("5 px/mm", 1.0, 0), ("half", 0.5, 0), ("quarter", 0.25, 0), ("noise", 1.0, 12)):
        print(f"| {title} | {_synthetic_cells(count, factor, noise)} |")
    print()


def _synthetic_cells(count: int, factor: float, noise: float) -> str:
    errors: dict[str, list[float]] = defaultdict(list)
    counted = 0
    for number in range(count):
        rng = np.random.default_rng([SEED, number])
        plant = sample_plant(DEMO_TAXA[number % len(DEMO_TAXA)], rng)
        leaf = draw_leaf(
            sample_leaf(plant, rng),
            plant.look,
            rng,
            px_per_mm=5.0,
            face="abaxial" if number % 3 == 0 else "adaxial",
            direction_deg=float(rng.uniform(0, 360)),
            margin_px=30,
        )
        pixels = leaf.on_background(np.full_like(leaf.image, 225))
        if noise:
            pixels = np.clip(pixels + rng.normal(0, noise, pixels.shape), 0, 255).astype(np.uint8)
        mask = leaf.mask
        if factor < 1:
            pixels = np.asarray(cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
            mask = np.asarray(cv2.resize(mask.astype(np.uint8), pixels.shape[1::-1]) > 0)
        start = time.process_time()
        found = measure_leaf(pixels, mask, px_per_mm=5.0, crop_scale=factor).characters
        errors["seconds"].append(time.process_time() - start)
        counted += found.secondary_vein_pairs is not None
        truths = {
            "secondary_veins_left": leaf.traits.pairs_left,
            "secondary_veins_right": leaf.traits.pairs_right,
            "secondary_vein_angle_deg": leaf.venation.mean_angle_deg(),
            "blade_length_cm": leaf.traits.length_mm / 10,
            "blade_width_cm": float(leaf.blade.left.max() + leaf.blade.right.max()) / 10,
        }
        for name, truth in truths.items():
            value = getattr(found, name)
            if isinstance(value, Measurement):
                relative = truth if name.startswith("blade") else 1.0
                errors[name].append(abs(value.value - truth) / relative)
        for name, form in (("base_form", leaf.traits.base_form), ("apex_form", leaf.traits.apex_form)):
            value = getattr(found, name)
            errors[name].append(float(value is not None and value.value == form))
    sides = np.array(errors["secondary_veins_left"] + errors["secondary_veins_right"])
    return (
        f"{counted} of {count} | {sides.mean():.2f} | {np.mean(sides <= 1):.0%} "
        f"| {np.mean(errors['secondary_vein_angle_deg']):.1f}° | {np.mean(errors['blade_length_cm']):.1%} "
        f"| {np.mean(errors['blade_width_cm']):.1%} | {np.mean(errors['base_form']):.0%} "
        f"| {np.mean(errors['apex_form']):.0%} | {np.median(errors['seconds']):.2f} s"
    )


def report_petioles_and_margins(count: int) -> None:
    """Compare with petioles drawn below synthetic leaves, and with teeth cut into their margins."""
    shares, verdicts = [], {"entire": [0, 0, 0], "toothed": [0, 0, 0]}
    for number in range(count):
        rng = np.random.default_rng([SEED, number])
        plant = sample_plant(DEMO_TAXA[number % len(DEMO_TAXA)], rng)
        leaf = draw_leaf(sample_leaf(plant, rng), plant.look, rng, px_per_mm=5.0, margin_px=160)
        pixels = leaf.on_background(np.full_like(leaf.image, 225))
        length = 0.08 + 0.12 * number / count
        start, end = leaf.midrib_px[0], leaf.midrib_px[0] + [0.0, length * leaf.traits.length_mm * 5.0]
        mask = leaf.mask.astype(np.uint8)
        for image, colour in ((pixels, (110, 120, 70)), (mask, (1,))):
            cv2.line(image, tuple(map(round, start)), tuple(map(round, end)), colour, 8)
        found = measure_leaf(pixels, mask > 0, outer_petiole_px=0.0).characters
        if found.petiole_share is not None:
            shares.append(found.petiole_share.value - length)
        for form, shape in (("entire", leaf.mask), ("toothed", _toothed(leaf.mask))):
            margin = measure_leaf(pixels, shape).characters.margin
            verdicts[form][2 if margin is None else 0 if margin.value == form else 1] += 1
    error, largest = np.mean(np.abs(shares)), np.max(np.abs(shares))
    print(
        f"Petioles of 0.08 to 0.2 of the length: {len(shares)} of {count} found, "
        f"mean error {error:.3f} of the length, largest {largest:.3f}"
    )
    for form, (right, wrong, undecided) in verdicts.items():
        print(f"Margins {form}: {right} right, {wrong} wrong, {undecided} undecided")
    print()


def _toothed(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the blade with notches in its margin, 1.2 % of its length deep."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=len)[:, 0]
    depth = max(2, round(0.012 * np.ptp(outline[:, 1])))
    notched = mask.astype(np.uint8)
    for x, y in outline[:: 5 * depth]:
        cv2.circle(notched, (int(x), int(y)), depth, (0,), cv2.FILLED)
    return np.asarray(notched > 0)


def report_absence(shared: Path) -> None:
    """Count how often veins are claimed where none can be counted."""
    sheets = [shared / "sheets" / "unknown_species" / f"{name}.jpg" for name in WITHOUT_LEAF.split()]
    bench = shared / "bench" / "leaf_remp"
    parts = {
        "sheets without a measurable leaf": sheets,
        "Piper betle": sorted((bench / "betal").glob("*.jpg"))[::12][:10],
        "Ayapana triplinervis": sorted((bench / "ayapan").glob("*.jpg"))[::12][:10],
    }
    print("| absence | images | leaves measured | leaves with count | images with count |\n|---|---:|---:|---:|---:|")
    for title, paths in parts.items():
        claims = [_claims(path) for path in paths if path.is_file()]
        leaves, claimed = (sum(column) for column in zip(*claims, strict=True)) if claims else (0, 0)
        print(f"| {title} | {len(claims)} | {leaves} | {claimed} | {sum(claim > 0 for _, claim in claims)} |")
    labels = [_label(number) for number in range(8)]
    claimed = sum(measure_leaf(*label).characters.secondary_vein_pairs is not None for label in labels)
    print(f"| labels with writing, masked as a leaf | {len(labels)} | {len(labels)} | {claimed} | {claimed} |")


def _claims(path: Path) -> tuple[int, int]:
    found = measure_file(path, leaves=3).leaves
    return len(found), sum(leaf.measured.characters.secondary_vein_pairs is not None for leaf in found)


def _label(number: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return a label with lines of writing, and a mask that covers it as a leaf."""
    rng = np.random.default_rng([SEED, 1000 + number])
    pixels = np.full((420, 640, 3), 180, np.uint8)
    mask = np.zeros(pixels.shape[:2], np.bool_)
    mask[40:380, 40:600] = True
    pixels[mask] = (238, 232, 215)
    for line in range(8):
        text = "".join(chr(int(letter)) for letter in rng.integers(97, 123, 24))
        cv2.putText(pixels, text, (60, 85 + 36 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (40, 40, 60), 2, cv2.LINE_AA)
    return pixels, mask


if __name__ == "__main__":
    sys.exit(main())
