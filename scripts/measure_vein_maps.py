"""Measure how well the vein map finds primary and secondary veins, compared with the ridge filters of scikit-image.

    python scripts/measure_vein_maps.py --shared ../shared > veins.md

The truth: veins of 17 tomato leaflets, drawn by hand (`SHARED/veins/tomato`), and exact veins of synthetic leaves.

Metrics are those of boundary benchmarks (Martin et al. 2004). The map is thresholded and thinned, the truth is thinned.
Precision is the share of predicted pixels within 3 px (`--tolerance`) of a true one, recall the share of true pixels
within 3 px of a predicted one. ODS is the F1 of all leaves at the best common threshold; OIS is the mean F1 at the best
threshold of each leaf. Thresholds are 15 logarithmic steps from 0.02 to 1. Maps of scikit-image have no fixed range and
are divided by the 99.5th percentile of the leaf; the vein map is unchanged. All filters see the same blade, and their
output is cut to that blade a few pixels inside the margin.

A grid search chooses scales, polarity and flattening of the three filters: on five leaves of the tune half of the
tomato leaves (every second one), which also served to choose the constants of the vein map, and on other synthetic
plants at each resolution. The vein map has one set of constants for everything.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from scipy.ndimage import binary_fill_holes
from skimage.filters import frangi, meijering, sato
from skimage.morphology import skeletonize

from leafid.demo import DEMO_TAXA, Vein, draw_leaf, sample_leaf, sample_plant
from leafid.sheets.vein_map import FLATTENING_SIGMA, WORKING_SIDE, flatten_illumination, vein_map

THRESHOLDS = np.geomspace(0.02, 1, 15)
THIN: Callable[..., Any] = skeletonize
FILTERS: dict[str, Callable[..., Any]] = {"frangi": frangi, "sato": sato, "meijering": meijering}
DEFAULT_SIGMAS = (1.0, 3.0, 5.0, 7.0, 9.0)
SIGMAS = (DEFAULT_SIGMAS, (1.0, 2.0), (2.0, 4.0))
POLARITIES = ("dark", "light", "both")
PX_PER_MM = (2.0, 4.0, 8.0)
SEED = 20240


@dataclass(frozen=True)
class Filter:
    """A filter without its polarity. The settings are those of scikit-image; the vein map has none."""

    name: str
    sigmas: tuple[float, ...] = DEFAULT_SIGMAS
    flattened: bool = False

    def described(self, polarity: str) -> str:
        """Return name and settings for the table."""
        if self == VEIN_MAP:
            return self.name
        sigmas = ", ".join(f"{sigma:g}" for sigma in self.sigmas)
        return f"{self.name}, sigmas {sigmas}, {polarity} veins, {'flattened' if self.flattened else 'raw'}"


VEIN_MAP = Filter("vein_map")
Job = tuple[str, int, Filter]  # set of leaves, number of the leaf, filter


@dataclass(frozen=True)
class Result:
    """Counts of `match_counts` for each polarity, from one filter on one leaf, and the CPU time."""

    counts: dict[str, NDArray[np.int64]]
    seconds: float


@dataclass(frozen=True)
class Leaf:
    """A crop with its blade and its true primary and secondary veins."""

    name: str
    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    veins: NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """Scores of one method on one set of leaves."""

    leaves: str
    method: str
    ods_f1: float
    precision: float
    recall: float
    threshold: float
    ois_f1: float
    ms_per_leaf: float


def main() -> int:
    """Measure and print a Markdown table; write JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with veins/tomato")
    parser.add_argument("--json", type=Path, help="also write the scores to this file")
    parser.add_argument("--workers", type=int, default=2, help="number of processes (default 2)")
    parser.add_argument("--tolerance", type=float, default=3, help="largest distance of matching lines, px (default 3)")
    parser.add_argument("--alone", action="store_true", help="vein map only, without scikit-image's filters")
    arguments = parser.parse_args()

    # title -> measured leaves, leaves for tuning; each a set and the indices of its leaves
    parts: dict[str, tuple[str, Sequence[int], str, Sequence[int]]] = {}
    if (arguments.shared / "veins" / "tomato").is_dir():
        halves = {"tomato, tune half": range(0, 17, 2), "tomato, test half": range(1, 17, 2), "tomato, all": range(17)}
        parts |= {title: ("tomato", numbers, "tomato", range(0, 17, 4)) for title, numbers in halves.items()}
    else:
        print(f"{arguments.shared / 'veins' / 'tomato'} is missing: measuring synthetic leaves only", file=sys.stderr)
    for scale in PX_PER_MM:
        parts[f"synthetic, {scale:g} px/mm"] = (f"synthetic:{scale:g}", range(6), f"synthetic-tune:{scale:g}", range(2))

    with ProcessPoolExecutor(arguments.workers, None, _start, (arguments.shared, arguments.tolerance)) as pool:
        known: dict[Job, Result] = {}
        rows = []
        for title, (measured, numbers, tuning, tuning_numbers) in parts.items():
            methods = [(VEIN_MAP, "both")]
            if not arguments.alone:
                methods += [(Filter(name), "dark") for name in FILTERS]  # scikit-image's defaults
                methods += [_tuned(pool, known, name, tuning, tuning_numbers) for name in FILTERS]
            _run_missing(pool, known, title, [(measured, number, each) for each, _ in methods for number in numbers])
            for each, polarity in methods:
                results = [known[measured, number, each] for number in numbers]
                rows.append(_score(title, each.described(polarity), polarity, results))
    print(_markdown(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    return 0


def _tuned(
    pool: ProcessPoolExecutor, known: dict[Job, Result], name: str, leaves: str, numbers: Sequence[int]
) -> tuple[Filter, str]:
    """Return the settings and polarity of a filter with the highest ODS on these leaves."""
    grid = [Filter(name, sigmas, flattened) for sigmas, flattened in product(SIGMAS, (False, True))]
    jobs = [(leaves, number, each) for each in grid for number in numbers]
    _run_missing(pool, known, f"tuning {name} on {leaves}", jobs)

    def ods(choice: tuple[Filter, str]) -> float:
        each, polarity = choice
        return _score("", "", polarity, [known[leaves, number, each] for number in numbers]).ods_f1

    return max(product(grid, POLARITIES), key=ods)


def _run_missing(pool: ProcessPoolExecutor, known: dict[Job, Result], description: str, jobs: list[Job]) -> None:
    """Run the jobs without a result."""
    missing = [job for job in dict.fromkeys(jobs) if job not in known]
    if missing:
        results = track(pool.map(run, missing), description, len(missing), console=Console(stderr=True))
        known.update(zip(missing, results, strict=True))


_shared, _tolerance_px = Path("../shared"), 3.0


def _start(shared: Path, tolerance_px: float) -> None:
    global _shared, _tolerance_px
    _shared, _tolerance_px = shared, tolerance_px
    cv2.setNumThreads(1)


def _score(title: str, method: str, polarity: str, results: Sequence[Result]) -> Score:
    counts = [each.counts[polarity] for each in results]
    f1, precision, recall = f1_of(np.sum(counts, axis=0))
    best = int(np.argmax(f1))
    return Score(
        leaves=title,
        method=method,
        ods_f1=float(f1[best]),
        precision=float(precision[best]),
        recall=float(recall[best]),
        threshold=float(THRESHOLDS[best]),
        ois_f1=float(np.mean([f1_of(of_leaf)[0].max() for of_leaf in counts])),
        ms_per_leaf=1000 * float(np.median([each.seconds for each in results])),
    )


def run(job: Job) -> Result:
    """Run one filter on one leaf; the time covers one polarity, on one core."""
    leaves, number, each = job
    leaf = load(leaves, number)
    start = time.process_time()
    if each == VEIN_MAP:
        found = vein_map(leaf.image, leaf.mask)
        seconds = time.process_time() - start
        return Result({"both": match_counts(found, leaf.veins)}, seconds)
    dark = ridges(leaf, each, black=True)
    seconds = time.process_time() - start
    light = ridges(leaf, each, black=False)
    counts = {}
    for polarity, found in {"dark": dark, "light": light, "both": np.maximum(dark, light)}.items():
        full = max(float(np.percentile(found[leaf.mask], 99.5)), 1e-12)
        counts[polarity] = match_counts(np.asarray(found / full, np.float32), leaf.veins)
    return Result(counts, seconds)


def ridges(leaf: Leaf, each: Filter, black: bool) -> NDArray[np.float32]:
    """Return the output of a filter of scikit-image, [H, W], at least 0, and 0 outside the blade."""
    # Narrow and flatten the blade as the vein map does at its working size, scaled to native size.
    scale = float(np.sqrt(np.count_nonzero(leaf.mask))) / WORKING_SIDE
    width = 2 * round(2 * max(scale, 1)) + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    blade = np.asarray(cv2.erode(np.pad(leaf.mask.astype(np.float32), 1), disk)[1:-1, 1:-1], np.float32)
    grey = leaf.image.mean(axis=2, dtype=np.float32)
    picture = flatten_illumination(grey, blade, FLATTENING_SIGMA * scale) if each.flattened else grey / 255
    return np.asarray(FILTERS[each.name](picture, sigmas=each.sigmas, black_ridges=black) * blade, np.float32)


def match_counts(found: NDArray[np.float32], veins: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count, per threshold: predicted pixels near the truth, predicted, true near a prediction, true; [15, 4]."""
    truth = THIN(veins)
    near_truth = _near(truth)
    rows = []
    for threshold in THRESHOLDS:
        lines = THIN(found >= threshold)
        rows.append(((lines & near_truth).sum(), lines.sum(), (truth & _near(lines)).sum(), truth.sum()))
    return np.asarray(rows, np.int64)


def _near(lines: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if not lines.any():  # the distance to nothing is undefined
        return lines
    distance = cv2.distanceTransform((~lines).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance <= _tolerance_px)


def f1_of(counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """F1, precision and recall from counts as `match_counts` gives them."""
    right, predicted, recalled, true = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    precision, recall = right / np.maximum(predicted, 1), recalled / np.maximum(true, 1)
    return 2 * precision * recall / np.maximum(precision + recall, 1e-9), precision, recall


@cache
def load(leaves: str, number: int) -> Leaf:
    """Load a leaf of a set: `tomato`, `synthetic:PX_PER_MM`, or `synthetic-tune:PX_PER_MM` (other plants)."""
    if leaves == "tomato":
        return _tomato(sorted((_shared / "veins" / "tomato" / "images").glob("*.jpg"))[number])
    kind, px_per_mm = leaves.split(":")
    seed = SEED + (kind == "synthetic-tune")
    return _drawn(number, seed, float(px_per_mm))


def _tomato(file: Path) -> Leaf:
    """Load a leaflet on black cloth; the blade is clearly brighter than the cloth (Otsu threshold)."""
    image = np.asarray(cv2.imread(str(file), cv2.IMREAD_COLOR_RGB), np.uint8)
    veins = cv2.imread(str(file.parents[1] / "masks" / f"{file.stem}.png"), cv2.IMREAD_GRAYSCALE)
    brightness = cv2.GaussianBlur(image.max(axis=2), (0, 0), 2)
    threshold, _ = cv2.threshold(brightness, 0, 255, cv2.THRESH_OTSU)
    filled = np.asarray(binary_fill_holes(brightness > threshold), np.uint8)
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(filled)
    mask = np.asarray(pieces == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))
    return _cut(Leaf(file.stem, image, mask, np.asarray(veins) > 0))


def _drawn(number: int, seed: int, px_per_mm: float) -> Leaf:
    """Draw a leaf of one of the six taxa, upper and lower faces in turn; all scales show the same plants."""
    rng = np.random.default_rng([seed, number])
    taxon = DEMO_TAXA[number]
    plant = sample_plant(taxon, rng)
    face: Literal["adaxial", "abaxial"] = "abaxial" if number % 2 else "adaxial"
    leaf = draw_leaf(sample_leaf(plant, rng), plant.look, rng, px_per_mm=px_per_mm, face=face)
    veins = (leaf.veins == Vein.MIDRIB) | (leaf.veins == Vein.SECONDARY)
    return _cut(Leaf(f"{taxon} {face}", leaf.on_background(np.full_like(leaf.image, 225)), leaf.mask, veins))


def _cut(leaf: Leaf, margin: int = 10) -> Leaf:
    rows, columns = np.flatnonzero(leaf.mask.any(axis=1)), np.flatnonzero(leaf.mask.any(axis=0))
    box = np.s_[max(0, rows[0] - margin) : rows[-1] + margin, max(0, columns[0] - margin) : columns[-1] + margin]
    return Leaf(leaf.name, np.ascontiguousarray(leaf.image[box]), leaf.mask[box], leaf.veins[box])


def _markdown(scores: list[Score]) -> str:
    lines = [
        "| leaves | method | F1 (ODS) | precision | recall | F1 (OIS) | ms |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.leaves} | {row.method} | {row.ods_f1:.3f} | {row.precision:.3f} | {row.recall:.3f} | {row.ois_f1:.3f} "
        f"| {row.ms_per_leaf:.0f} |"
        for row in scores
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
