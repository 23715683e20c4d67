"""Measure leaf characters against counts by eye, against the truth of drawn leaves, and where nothing can be measured.

    python scripts/measure_characters.py --shared ../shared > characters.md

- Counted by eye: leaves of the tables in `measure_leaf_parser.TABLES`; the truth is the mean of both counts. Constants
  were chosen on the first half of each table, every second leaf by name; the other half has its own row.
- Drawn leaves: six taxa, exact truth, at 5 px/mm, at half and a quarter of that, and with noise (12 grey levels).
- Absence: sheets of SHARED/sheets/unknown_species without a measurable leaf (grass-like plants, ferns, palms, compound
  and palmate leaves, fragments), selected by eye; thresholds were set with them in view. The photos of *Piper betle*
  and *Ayapana triplinervis* in SHARED/bench, whose main veins come from the base, were not in view.
- Masks: coffee leaves with a true mask, refined as for measuring.

Times are CPU times of one thread.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from measure_leaf_parser import TABLES, best_box, rows_of, truths
from numpy.typing import NDArray

from leafid.characters import Measurement, measure_file, measure_leaf
from leafid.characters.measurement import MAX_SIDE
from leafid.demo import DEMO_TAXA, draw_leaf, sample_leaf, sample_plant
from leafid.images import open_image
from leafid.sheets import ParsedLeaf, cut_upright, parse_leaves, refine_mask

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

    name: str
    found: bool
    errors: tuple[float, float] | None
    ratio: float | None
    reason: str


def main() -> int:
    """Run the measurements and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--synthetic", type=int, default=60, help="number of synthetic leaves")
    parser.add_argument("--only", choices=("counted", "synthetic", "absence", "masks"), help="print only this part")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.only in (None, "counted"):
        report_counted(arguments.shared)
    if arguments.only in (None, "synthetic"):
        report_synthetic(arguments.synthetic)
        report_margins(arguments.synthetic // 3)
    if arguments.only in (None, "absence"):
        report_absence(arguments.shared)
    if arguments.only in (None, "masks"):
        report_masks(arguments.shared)
    return 0


def report_counted(shared: Path) -> None:
    """Compare with counts and forms by eye."""
    print("## Leaves counted by eye\n")
    print("| set | leaves | found | measured | counts given | error per side | within 1 | length:width within 6 % |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    details = []
    for table in TABLES:
        rows = sorted(rows_of(shared, table), key=lambda pair: (pair[0].name, pair[1]["length_width_ratio"]))
        leaves = [_counted(path, row) for path, row in rows]
        for title, selected in (("first half", leaves[0::2]), ("second half", leaves[1::2])):
            print(f"| {table}, {title} | {_count_cells(selected)} |")
        details += leaves
    print()
    for leaf in details:
        ratio = "" if leaf.ratio is None else f", length:width {leaf.ratio:+.1%}"
        print(f"- {leaf.name}: {leaf.errors or leaf.reason}{ratio}")
    print()


def _counted(path: Path, row: dict[str, str]) -> Counted:
    leaves = measure_file(path, leaves=50).leaves
    index = best_box([leaf.box for leaf in leaves], row) if row.get("bbox_x0") else (0 if leaves else None)
    if index is None:
        return Counted(path.stem, False, None, None, "not found")
    leaf = leaves[index]
    left, right, ratio = (
        leaf.characters.secondary_veins_left,
        leaf.characters.secondary_veins_right,
        leaf.characters.length_width_ratio,
    )
    truth = truths(row)
    return Counted(
        path.stem,
        True,
        (left.value - truth[0], right.value - truth[1]) if left and right else None,
        ratio.value / float(row["length_width_ratio"]) - 1 if ratio else None,
        str(leaf.not_measured or leaf.no_veins or ""),
    )


def _count_cells(leaves: Sequence[Counted]) -> str:
    errors = np.abs([error for leaf in leaves if leaf.errors for error in leaf.errors])
    within = sum(leaf.ratio is not None and abs(leaf.ratio) <= 0.06 for leaf in leaves)
    found, measured = sum(leaf.found for leaf in leaves), sum(leaf.ratio is not None for leaf in leaves)
    right = f"{errors.mean():.2f} | {np.sum(errors <= 1)} of {len(errors)}" if len(errors) else "|"
    return f"{len(leaves)} | {found} | {measured} | {len(errors) // 2} | {right} | {within} of {len(leaves)}"


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
        if factor < 1:
            pixels = np.asarray(cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
        parsed = parse_leaves(pixels)
        if not parsed:
            continue
        start = time.process_time()
        found = measure_leaf(pixels, parsed[0], px_per_mm=5.0, px_per_original=factor).characters
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


def report_margins(count: int) -> None:
    """Compare with teeth cut into the margins of drawn leaves."""
    verdicts = {"entire": [0, 0, 0], "toothed": [0, 0, 0]}
    for number in range(count):
        rng = np.random.default_rng([SEED, number])
        plant = sample_plant(DEMO_TAXA[number % len(DEMO_TAXA)], rng)
        leaf = draw_leaf(sample_leaf(plant, rng), plant.look, rng, px_per_mm=5.0, margin_px=160)
        paper = np.full_like(leaf.image, 225)
        for form, shape in (("entire", leaf.mask), ("toothed", _toothed(leaf.mask))):
            pixels = np.where(shape[..., None], leaf.on_background(paper), paper)
            margin = measure_leaf(pixels, ParsedLeaf.exact(shape, leaf.midrib_px, (0, 0))).characters.margin
            verdicts[form][2 if margin is None else 0 if margin.value == form else 1] += 1
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


def _claims(path: Path) -> tuple[int, int]:
    found = [leaf for leaf in measure_file(path, leaves=3).leaves if leaf.not_measured is None]
    return len(found), sum(leaf.characters.secondary_vein_pairs is not None for leaf in found)


def report_masks(shared: Path) -> None:
    """Compare the parser's masks of coffee leaves and the refined ones with true masks."""
    print("## Masks of coffee leaves\n\n| half | parser's, mean IoU (lowest) | refined | CPU |\n|---|---:|---:|---:|")
    images = sorted((shared / "veins" / "coffee" / "images").glob("*.jpg"))
    for half, title in enumerate(("first, learnt from", "second")):
        overlaps, seconds = [], []
        for path in images[half::2]:
            pixels = np.asarray(open_image(path).rgb, np.uint8)
            file = next((path.parent.parent / "masks").glob(f"{path.stem}.*"))
            grey = np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), np.uint8)
            truth = np.asarray(cv2.resize(grey, pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
            crop = cut_upright(pixels, parse_leaves(pixels)[0], max_side=MAX_SIDE)
            real = crop.cut_mask(truth > 60)
            start = time.process_time()
            refined = refine_mask(crop.pixels, crop.mask, crop.midrib[0]).mask
            seconds.append(time.process_time() - start)
            overlaps.append([(mask & real).sum() / (mask | real).sum() for mask in (crop.mask, refined)])
        cells = (
            f"{mean:.3f} ({least:.3f})" for mean, least in zip(np.mean(overlaps, 0), np.min(overlaps, 0), strict=True)
        )
        print(f"| {title} | {' | '.join(cells)} | {np.median(seconds):.2f} s |")


if __name__ == "__main__":
    sys.exit(main())
