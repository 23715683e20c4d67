r"""Measure the leaf parser: counts and forms beside those by eye, masks, instances on drawings, times.

    python scripts/measure_leaf_parser.py --shared ../shared --scenes runs/held-back > leaf_parser.md

Every set is reported in two halves, each second picture by name: on the first things were chosen, the second was looked
at once. `--classical` measures the code of `characters/` on the same leaves. `--pictures` writes what was
found over each picture. Held-back scenes are drawn into `--scenes` where they are missing.
"""

import argparse
import csv
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from leaf_parser_pictures import drawing
from leaf_parser_scenes import Scene, held_back, real_scenes

from leafid.characters import Measurement, measure_image
from leafid.images import OpenedImage, open_image
from leafid.sheets.leaf_parser import ParsedLeaf, parse_leaves
from leafid.sheets.leaf_parser.weights import FOLDER

NEEDED_SIDE = 900
"""Shorter side at which pictures are decoded."""
TABLES = ("photos/kratom/vein_counts.csv", "veins/vein_counts.csv", "veins/vein_counts_2.csv")


@dataclass(frozen=True)
class Answer:
    """What was answered for one leaf counted by eye; `errors` of left and right where there is a count."""

    name: str
    found: bool
    errors: tuple[float, float] | None = None
    ratio_error: float | None = None


def main() -> None:
    """Measure and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, help="folder with photos/, sheets/ and veins/")
    parser.add_argument("--scenes", type=Path, help="folder of held-back scenes")
    parser.add_argument("--weights", type=Path, default=FOLDER)
    parser.add_argument("--classical", action="store_true", help="measure the classical code as well")
    parser.add_argument("--pictures", type=Path, help="write pictures here")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.shared:
        report_counts(options.shared, options.weights, options.pictures)
        if options.classical:
            report_classical(options.shared)
        report_masks(options.shared, options.weights)
        report_times(options.shared, options.weights)
    if options.scenes:
        report_drawn(held_back(options.scenes), options.weights)


def rows_of(shared: Path, table: str) -> list[tuple[Path, dict[str, str]]]:
    """Rows of a table of counts by eye with the picture of each."""
    path = shared / table
    with path.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    folder = shared if table.endswith("_2.csv") else path.parent
    return [(folder / row.get("path", row.get("file", "")), row) for row in rows]


def first_half(shared: Path, table: str) -> list[tuple[Path, dict[str, str]]]:
    """Every second row by name, from the first: those on which things may be chosen."""
    return sorted_rows(shared, table)[0::2]


def sorted_rows(shared: Path, table: str) -> list[tuple[Path, dict[str, str]]]:
    """Rows of a table by the names of their pictures."""
    return sorted(rows_of(shared, table), key=lambda pair: (pair[0].name, pair[1]["length_width_ratio"]))


def report_counts(shared: Path, weights: Path, pictures: Path | None) -> None:
    """Compare with counts by eye."""

    def answer(opened: OpenedImage, row: dict[str, str]) -> Answer:
        pixels = np.asarray(opened.rgb, np.uint8)
        leaves = parse_leaves(pixels, folder=weights)
        scale = opened.width / pixels.shape[1]
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(pictures / f"{row['stem']}.png"), drawing(pixels, leaves)[..., ::-1])
        leaf = matching(leaves, row, scale)
        if leaf is None:
            return Answer(row["stem"], False)
        numbers = (leaf.count_left, leaf.count_right)
        errors = tuple(number.number - truth for number, truth in zip(numbers, truths(row), strict=True))
        ratio = leaf.length / leaf.width / float(row["length_width_ratio"]) - 1
        return Answer(row["stem"], True, (errors[0], errors[1]), ratio)

    print("## Counts by eye: the parser\n")
    table_of_answers(shared, answer)


def report_classical(shared: Path) -> None:
    """The same with the classical code, which gives a count or none."""

    def answer(opened: OpenedImage, row: dict[str, str]) -> Answer:
        leaves = measure_image(opened).leaves
        boxes = [leaf.box for leaf in leaves]
        index = best_box(boxes, row) if row.get("bbox_x0") else (0 if leaves else None)
        if index is None:
            return Answer(row["stem"], False)
        characters = leaves[index].characters
        left, right = characters.secondary_veins_left, characters.secondary_veins_right
        ratio = characters.length_width_ratio
        truth = truths(row)
        given = isinstance(left, Measurement) and isinstance(right, Measurement)
        errors = (left.value - truth[0], right.value - truth[1]) if given and left and right else None
        error = ratio.value / float(row["length_width_ratio"]) - 1 if ratio else None
        return Answer(row["stem"], True, errors, error)

    print("## Counts by eye: the classical code\n")
    table_of_answers(shared, answer)


def table_of_answers(shared: Path, answer: Callable[[OpenedImage, dict[str, str]], Answer]) -> None:
    """Ask about each leaf of each table and print halves."""
    print("| set | leaves | found | counts given | MAE | within 1 | L:W within 6 % |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    details = []
    for table in TABLES:
        rows = sorted_rows(shared, table)
        answers = []
        for path, row in rows:
            row["stem"] = f"{path.stem}{'_' + row['bbox_x0'] if table.startswith('photos') else ''}"
            answers.append(answer(open_image(path, needed_side=NEEDED_SIDE), row))
        for half, chosen in (("first half", answers[0::2]), ("second half", answers[1::2])):
            print(f"| {table}, {half} | {cells(chosen)} |")
        details += [f"{one.name} {one.errors}" for one in answers]
    print("\n" + "; ".join(details) + "\n")


def cells(answers: Sequence[Answer]) -> str:
    """Figures of a group of answers."""
    errors = np.abs([error for one in answers if one.errors for error in one.errors])
    ratio = sum(one.ratio_error is not None and abs(one.ratio_error) <= 0.06 for one in answers)
    right = f"{errors.mean():.2f} | {(errors <= 1).sum()} of {len(errors)}" if len(errors) else "|"
    found = sum(one.found for one in answers)
    return f"{len(answers)} | {found} | {len(errors) // 2} | {right} | {ratio} of {len(answers)}"


def truths(row: dict[str, str]) -> tuple[float, float]:
    """Means of both counts by eye, left and right."""
    left, right = ((int(row[f"{side}_1"]) + int(row[f"{side}_2"])) / 2 for side in ("left", "right"))
    return left, right


def matching(leaves: Sequence[ParsedLeaf], row: dict[str, str], scale: float) -> ParsedLeaf | None:
    """The leaf that was counted: that of the box where one is given, else the largest."""
    if not row.get("bbox_x0"):
        return leaves[0] if leaves else None
    boxes = [tuple(round(side * scale) for side in leaf.box) for leaf in leaves]
    index = best_box(boxes, row)
    return None if index is None else leaves[index]


def best_box(boxes: Iterable[tuple[int, ...]], row: dict[str, str]) -> int | None:
    """Index of the box that covers the row's box best, at least by a half."""
    target = [int(row[f"bbox_{side}"]) for side in ("x0", "y0", "x1", "y1")]
    overlaps = []
    for box in boxes:
        width = min(box[2], target[2]) - max(box[0], target[0])
        height = min(box[3], target[3]) - max(box[1], target[1])
        shared = max(0, width) * max(0, height)
        areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, target)]
        overlaps.append(shared / (sum(areas) - shared))
    return int(np.argmax(overlaps)) if overlaps and max(overlaps) >= 0.5 else None


def report_masks(shared: Path, weights: Path) -> None:
    """Masks of coffee leaves against true ones."""
    print("## Masks of coffee leaves\n\n| half | mean IoU | lowest |\n|---|---:|---:|")
    for half in (0, 1):
        overlaps = []
        for scene in real_scenes(shared, half=half):
            if scene.kind != "leaf":
                continue
            truth = scene.labels > 0
            masks = [leaf.full_mask(truth.shape) for leaf in parse_leaves(scene.image, folder=weights)]
            found = np.any(masks, axis=0) if masks else np.zeros_like(truth)
            overlaps.append((found & truth).sum() / (found | truth).sum())
        print(f"| {('first, trained on', 'second')[half]} | {np.mean(overlaps):.3f} | {np.min(overlaps):.3f} |")
    print()


def report_times(shared: Path, weights: Path) -> None:
    """CPU time of a photo of 12 megapixels, reading and decoding included."""
    source = shared / "photos" / "kratom" / "kratom_2.jpg"
    enlarged = cv2.resize(np.asarray(cv2.imread(str(source)), np.uint8), (4000, 3000), interpolation=cv2.INTER_CUBIC)
    path = weights / "timed.jpg"
    path.write_bytes(cv2.imencode(".jpg", enlarged, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())
    try:
        times = defaultdict(list)
        for _ in range(6):
            start = time.process_time()
            pixels = np.asarray(open_image(path, needed_side=NEEDED_SIDE).rgb, np.uint8)
            middle = time.process_time()
            leaves = parse_leaves(pixels, folder=weights)
            times["reading the file"].append(middle - start)
            times[f"parsing, {len(leaves)} leaves"].append(time.process_time() - middle)
    finally:
        path.unlink()
    print("## CPU time of a photo of 12 megapixels (the first of six left out)\n")
    for name, values in times.items():
        print(f"- {name}: {1000 * np.median(values[1:]):.0f} ms")
    print()


def report_drawn(paths: list[Path], weights: Path) -> None:
    """Instances at IoU 0.7 and claims that are no leaf, by kind of scene.

    Of a leaf that others hide by half nobody can draw the outline of: those that are seen by three quarters or more are
    reported apart.
    """
    print("## Leaves of drawn scenes that were held back, found at IoU 0.7\n")
    print("| kind | seen by 3/4 or more | found | by 1/4 to 3/4 | found | leaves answered | of these at no leaf |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    tally: dict[str, list[int]] = defaultdict(lambda: [0] * 6)
    for path in paths:
        scene = Scene.load(path)
        found = [leaf.full_mask(scene.labels.shape) for leaf in parse_leaves(scene.image, most=30, folder=weights)]
        truths = [(scene.labels == number, leaf) for number, leaf in enumerate(scene.leaves, start=1)]
        overlap = np.zeros((len(found), len(truths)))
        for i, mask in enumerate(found):
            for j, (truth, _) in enumerate(truths):
                overlap[i, j] = (mask & truth).sum() / max(1, (mask | truth).sum())
        for j, (truth, leaf) in enumerate(truths):
            visible = leaf.facts["visible_fraction"]
            if visible >= 0.25 and truth.sum() >= 200:
                at = 0 if visible >= 0.75 else 2
                tally[scene.kind][at] += 1
                tally[scene.kind][at + 1] += bool(len(found) and overlap[:, j].max() >= 0.7)
        tally[scene.kind][4] += len(found)
        tally[scene.kind][5] += int(sum(not len(truths) or row.max() < 0.3 for row in overlap))
    for kind, (clear, right, hidden, guessed, answered, none) in sorted(tally.items()):
        shares = f"{right} ({right / max(1, clear):.0%}) | {hidden} | {guessed} ({guessed / max(1, hidden):.0%})"
        print(f"| {kind} | {clear} | {shares} | {answered} | {none} |")


if __name__ == "__main__":
    main()
