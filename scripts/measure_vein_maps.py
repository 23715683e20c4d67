"""How well the vein map finds primary and secondary veins, next to the ridge filters of scikit-image.

    python scripts/measure_vein_maps.py --shared ../shared > veins.md

Two sets with truth: 17 tomato leaflets with veins drawn by hand (`SHARED/veins/tomato`) and drawn leaves, whose veins
are exact.

The measure is that of boundary benchmarks (Martin et al. 2004): a map is thresholded and thinned, the truth is thinned,
and precision is the share of predicted pixels within 3 px of a true one, recall the share of true pixels within 3 px of
a predicted one. ODS is the F1 of all leaves together at the one best threshold; OIS the mean over leaves of the F1 at
each leaf's own best threshold. Thresholds are 20 logarithmic steps from 0.01 to 1. Maps of scikit-image, which have no
fixed range, are divided by the 99.5th percentile of the leaf; the vein map is taken as it is. Every filter sees the
same blade, and its answer is cut to the same blade a few pixels inside the margin.

Tuning: the tomato leaves are halved (every second). Scales, polarity and flattening of the three filters are chosen by
grid, with every second threshold, on five leaves of the tune half, the same on which the constants of the vein map were
chosen; for the drawn leaves, on other drawn leaves at each resolution. The vein map has one set of constants for all.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
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
from leafid.sheets.illumination import flat_blade
from leafid.sheets.vein_map import FLATTENING_SIGMA, WORKING_SIDE, vein_map

TOLERANCE_PX = 3
THRESHOLDS = np.geomspace(0.01, 1, 20)
FILTERS: dict[str, Callable[..., Any]] = {"frangi": frangi, "sato": sato, "meijering": meijering}
DEFAULT_SIGMAS = (1.0, 3.0, 5.0, 7.0, 9.0)
SIGMAS = (DEFAULT_SIGMAS, (1.0, 2.0), (1.5, 3.0), (2.0, 4.0), (3.0, 6.0))
POLARITIES = ("dark", "light", "both")
PX_PER_MM = (2.0, 4.0, 8.0)
DRAWN_SEED = 20240


@dataclass(frozen=True)
class Method:
    """A way to a map. The settings are for the filters of scikit-image; the vein map has none."""

    name: str
    sigmas: tuple[float, ...] = DEFAULT_SIGMAS
    polarity: str = "dark"  # of the veins; scikit-image's default
    flattened: bool = False

    def __str__(self) -> str:
        """Name and settings, as in the table."""
        if self.name == "vein_map":
            return self.name
        sigmas = ", ".join(f"{sigma:g}" for sigma in self.sigmas)
        return f"{self.name}, sigmas {sigmas}, {self.polarity} veins, {'flattened' if self.flattened else 'raw'}"


@dataclass(frozen=True)
class Leaf:
    """A crop with its blade and the truth about its primary and secondary veins."""

    name: str
    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    veins: NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """How one method did on one set of leaves."""

    leaves: str
    method: str
    ods_f1: float
    precision: float
    recall: float
    threshold: float
    ois_f1: float
    ms_per_leaf: float


def main() -> int:
    """Measure, print a Markdown table, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with veins/tomato")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--alone", action="store_true", help="the vein map alone, without the filters of scikit-image")
    arguments = parser.parse_args()

    sets: list[tuple[str, str]] = []  # (tuned on, measured on)
    if (arguments.shared / "veins" / "tomato").is_dir():
        sets += [("tomato:grid", f"tomato:{half}") for half in ("tune", "test", "all")]
    else:
        print(f"{arguments.shared / 'veins' / 'tomato'} is missing: drawn leaves only", file=sys.stderr)
    sets += [(f"drawn-grid:{scale:g}", f"drawn:{scale:g}") for scale in PX_PER_MM]

    with ProcessPoolExecutor(arguments.workers, initializer=_one_thread, initargs=(arguments.shared,)) as pool:
        tuned = {} if arguments.alone else _tune(pool, list(dict.fromkeys(tuning for tuning, _ in sets)))
        jobs = []
        for tuning, measured in sets:
            methods = [Method("vein_map")]
            if not arguments.alone:
                methods += [Method(name) for name in FILTERS] + tuned[tuning]
            jobs += [(measured, method, THRESHOLDS) for method in methods]
        results = pool.map(_score_job, jobs)
        scores = list(_watched(results, len(jobs), "measuring"))
    print(_markdown(scores))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(score) for score in scores], indent=1) + "\n", encoding="utf-8")
    return 0


def _tune(pool: ProcessPoolExecutor, sets: list[str]) -> dict[str, list[Method]]:
    """For every set of leaves the settings of each filter with the highest ODS."""
    grid = [Method(*settings) for settings in product(FILTERS, SIGMAS, POLARITIES, (False, True))]
    jobs = [(leaves, method, THRESHOLDS[::2]) for leaves in sets for method in grid]
    scores = list(_watched(pool.map(_score_job, jobs), len(jobs), "tuning"))
    best: dict[tuple[str, str], tuple[float, Method]] = {}
    for (leaves, method, _), score in zip(jobs, scores, strict=True):
        key = (leaves, method.name)
        if key not in best or score.ods_f1 > best[key][0]:
            best[key] = (score.ods_f1, method)
    return {leaves: [best[leaves, name][1] for name in FILTERS] for leaves in sets}


def _watched(scores: Iterable[Score], total: int, doing: str) -> Iterable[Score]:
    return track(scores, description=doing, total=total, console=Console(stderr=True))


_shared = Path("../shared")


def _one_thread(shared: Path) -> None:
    global _shared
    _shared = shared
    cv2.setNumThreads(1)
    os.nice(5)


def _score_job(job: tuple[str, Method, NDArray[np.float64]]) -> Score:
    return score(*job)


def score(leaves: str, method: Method, thresholds: NDArray[np.float64] = THRESHOLDS) -> Score:
    """Measure one method on a named set of leaves."""
    counts, times = [], []
    for leaf in load(leaves):
        start = time.process_time()
        answer = predict(leaf, method)
        times.append(time.process_time() - start)
        counts.append(match_counts(answer, leaf.veins, thresholds))
    f1, precision, recall = f1_of(np.sum(counts, axis=0))
    best = int(np.argmax(f1))
    return Score(
        leaves=leaves,
        method=str(method),
        ods_f1=float(f1[best]),
        precision=float(precision[best]),
        recall=float(recall[best]),
        threshold=float(thresholds[best]),
        ois_f1=float(np.mean([f1_of(of_leaf)[0].max() for of_leaf in counts])),
        ms_per_leaf=1000 * float(np.median(times)),
    )


def predict(leaf: Leaf, method: Method) -> NDArray[np.float32]:
    """Map of a leaf, [H, W] from 0 to about 1."""
    if method.name == "vein_map":
        return vein_map(leaf.image, leaf.mask)
    # What the vein map does at its working size, at native size: the same narrowing and the same flattening.
    scale = max(1.0, float(np.sqrt(np.count_nonzero(leaf.mask))) / WORKING_SIDE)
    width = 2 * round(2 * scale) + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    blade = cv2.erode(np.pad(leaf.mask.astype(np.float32), 1), disk)[1:-1, 1:-1]
    grey = leaf.image.mean(axis=2, dtype=np.float32)
    flat = flat_blade(grey, np.asarray(blade, np.float32), FLATTENING_SIGMA * scale)
    picture = flat if method.flattened else grey / 255
    blacks = {"dark": (True,), "light": (False,), "both": (True, False)}[method.polarity]
    ridges = [FILTERS[method.name](picture, sigmas=method.sigmas, black_ridges=black) for black in blacks]
    answer = np.max(ridges, axis=0) * (blade > 0)
    return np.asarray(answer / max(float(np.percentile(answer[leaf.mask], 99.5)), 1e-12), np.float32)


def match_counts(
    answer: NDArray[np.float32], veins: NDArray[np.bool_], thresholds: NDArray[np.float64] = THRESHOLDS
) -> NDArray[np.int64]:
    """For each threshold: predicted pixels near the truth, predicted, true pixels near a prediction, true; [N, 4]."""
    truth = _thinned(veins)
    near_truth = _near(truth)
    rows = []
    for threshold in thresholds:
        found = _thinned(answer >= threshold)
        rows.append(((found & near_truth).sum(), found.sum(), (truth & _near(found)).sum(), truth.sum()))
    return np.asarray(rows, np.int64)


def _thinned(lines: NDArray[np.bool_]) -> NDArray[np.bool_]:
    thin: Callable[..., Any] = skeletonize
    return np.asarray(thin(lines), np.bool_)


def _near(lines: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if not lines.any():
        return lines
    distance = cv2.distanceTransform((~lines).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance <= TOLERANCE_PX)


def f1_of(counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """F1, precision and recall from counts as `match_counts` gives them."""
    right, predicted, recalled, true = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    precision, recall = right / np.maximum(predicted, 1), recalled / np.maximum(true, 1)
    return 2 * precision * recall / np.maximum(precision + recall, 1e-9), precision, recall


@cache
def load(leaves: str) -> Sequence[Leaf]:
    """Leaves of a set: `tomato:` and tune, test, all or grid; `drawn:` or `drawn-grid:` and the scale in px/mm."""
    kind, which = leaves.split(":")
    if kind == "tomato":
        files = sorted((_shared / "veins" / "tomato" / "images").glob("*.jpg"))
        chosen = {"tune": files[::2], "grid": files[::4], "test": files[1::2], "all": files}[which]
        return [_tomato(file) for file in chosen]
    if kind == "drawn-grid":  # every second taxon, other plants than those that are measured
        return [_drawn(taxon, taxon // 2 % 2, DRAWN_SEED + 1, float(which)) for taxon in range(0, len(DEMO_TAXA), 2)]
    return [_drawn(taxon, face, DRAWN_SEED, float(which)) for taxon, face in product(range(len(DEMO_TAXA)), range(2))]


def _tomato(file: Path) -> Leaf:
    """A leaflet on black cloth; the blade is what is clearly brighter than the cloth."""
    image = np.asarray(cv2.imread(str(file), cv2.IMREAD_COLOR_RGB), np.uint8)
    veins = cv2.imread(str(file.parents[1] / "masks" / f"{file.stem}.png"), cv2.IMREAD_GRAYSCALE)
    brightness = cv2.GaussianBlur(image.max(axis=2), (0, 0), 2)
    threshold, _ = cv2.threshold(brightness, 0, 255, cv2.THRESH_OTSU)
    filled = np.asarray(binary_fill_holes(brightness > threshold), np.uint8)
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(filled)
    mask = np.asarray(pieces == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))
    return _cut(Leaf(file.stem, image, mask, np.asarray(veins) > 0))


def _drawn(taxon: int, face: int, seed: int, px_per_mm: float) -> Leaf:
    rng = np.random.default_rng([seed, taxon, face])
    plant = sample_plant(DEMO_TAXA[taxon], rng)
    side: Literal["adaxial", "abaxial"] = "abaxial" if (taxon + face) % 2 else "adaxial"
    leaf = draw_leaf(sample_leaf(plant, rng), plant.look, rng, px_per_mm=px_per_mm, face=side)
    paper = np.full_like(leaf.image, 225)
    veins = (leaf.veins == Vein.MIDRIB) | (leaf.veins == Vein.SECONDARY)
    return _cut(Leaf(f"{DEMO_TAXA[taxon]} {side}", leaf.on_background(paper), leaf.mask, veins))


def _cut(leaf: Leaf, margin: int = 10) -> Leaf:
    rows, columns = np.flatnonzero(leaf.mask.any(axis=1)), np.flatnonzero(leaf.mask.any(axis=0))
    box = np.s_[max(0, rows[0] - margin) : rows[-1] + margin, max(0, columns[0] - margin) : columns[-1] + margin]
    return Leaf(leaf.name, np.ascontiguousarray(leaf.image[box]), leaf.mask[box], leaf.veins[box])


def _markdown(scores: list[Score]) -> str:
    lines = [
        "| leaves | method | F1 (ODS) | precision | recall | F1 (OIS) | ms per leaf |",
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
