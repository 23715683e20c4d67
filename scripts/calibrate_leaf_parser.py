r"""Fit how sure a count of secondary veins is, on drawn leaves that were held back from training.

    python scripts/calibrate_leaf_parser.py runs/held-back --shared ../shared

Chooses the threshold of the row signal, fits the share of counts within 1 of the truth by logistic regression, prints
how well that holds on halves that were not fitted, and writes `counting.json` beside the weights. With `--shared` the
threshold and the mean quality are those of the first halves of the leaves that were counted by eye.
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from leaf_parser_scenes import Scene, held_back
from measure_leaf_parser import NEEDED_SIDE, TABLES, best_box, first_half, truths
from numpy.typing import NDArray

from leafid.images import open_image
from leafid.sheets.leaf_parser.counting import CALIBRATION, counted, evidence, long_enough
from leafid.sheets.leaf_parser.graph import VIEW_HEIGHT
from leafid.sheets.leaf_parser.leaf_view import LeafView
from leafid.sheets.leaf_parser.parsing import read_views
from leafid.sheets.leaf_parser.reading import Side, ViewReading
from leafid.sheets.leaf_parser.weights import FOLDER


def main() -> None:
    """Calibrate and print how well it holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path, help="folder of held-back scenes; they are drawn where they are missing")
    parser.add_argument("--weights", type=Path, default=FOLDER)
    parser.add_argument("--shared", type=Path, help="folder with photos/ and veins/: their first halves are used")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    calibrate(held_back(options.scenes), options.weights, options.shared)


@dataclass(frozen=True)
class Answer:
    """One side of a leaf as it was read, its true number of secondaries, and the number for each threshold."""

    reading: ViewReading
    side: Side
    px_scale: float
    truth: float
    kind: str
    numbers: dict[float, int]

    def evidence(self, threshold: float) -> list[float]:
        """What the quality of the number depends on."""
        return evidence(self.reading, self.side, self.px_scale, threshold)


THRESHOLDS = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)


def drawn_answers(paths: Iterable[Path], weights: Path) -> list[Answer]:
    """Read whole leaves of drawn scenes."""
    answers = []
    for path in paths:
        scene = Scene.load(path)
        for seen in read_views(scene.image, folder=weights):
            reading, view = seen.reading, seen.view
            number = _matching_truth(scene, view.to_picture(np.stack([reading.base, reading.apex])))
            if number is None:
                continue
            truth = scene.leaves[number]
            for side, lines in ((reading.left, truth.left), (reading.right, truth.right)):
                answers.append(
                    _answer(reading, side, view, long_enough([view.to_view(line) for line in lines]), scene.kind)
                )
    return answers


def _answer(reading: ViewReading, side: Side, view: LeafView, truth: float, kind: str) -> Answer:
    numbers = {each: len(counted(side, each)) for each in THRESHOLDS}
    return Answer(reading, side, view.px_scale, truth, kind, numbers)


def _matching_truth(scene: Scene, ends: NDArray[np.float64]) -> int | None:
    """The drawn leaf with these ends, within a tenth of its length, as long as nearly all of it is seen."""
    for number, leaf in enumerate(scene.leaves):
        length = float(np.hypot(*(leaf.apex - leaf.base)))
        away = np.hypot(*(ends - np.stack([leaf.base, leaf.apex])).T).max()
        if away < 0.1 * length and leaf.facts["visible_fraction"] > 0.9 and not leaf.facts["folded"]:
            return number
    return None


def real_answers(shared: Path, weights: Path) -> list[Answer]:
    """Read the leaves of the first halves that were counted by eye; `kind` is the name of the table."""
    answers = []
    for table in TABLES:
        for path, row in first_half(shared, table):
            opened = open_image(path, needed_side=NEEDED_SIDE)
            pixels = np.asarray(opened.rgb, np.uint8)
            views = [(seen.reading, seen.view) for seen in read_views(pixels, folder=weights)]
            boxes = [_box(reading, view, opened.width / pixels.shape[1]) for reading, view in views]
            index = best_box(boxes, row) if row.get("bbox_x0") else (0 if views else None)
            if index is None:
                continue
            reading, view = views[index]
            for side, truth in zip((reading.left, reading.right), truths(row), strict=True):
                answers.append(_answer(reading, side, view, truth, table))
    return answers


def _box(reading: ViewReading, view: LeafView, scale: float) -> tuple[int, ...]:
    rows, columns = np.nonzero(reading.blade >= 0.5)
    places = view.to_picture((np.stack([columns, rows], axis=1) + 0.5) * (VIEW_HEIGHT / reading.blade.shape[0]))
    return tuple(round(float(side) * scale) for side in (*places.min(axis=0), *places.max(axis=0)))


def calibrate(paths: list[Path], folder: Path, shared: Path | None) -> None:
    """Fit how often a count is within 1 (logistic regression) with the threshold that makes the smallest error.

    With real leaves the threshold is chosen on them, each table weighing the same, and where counts of real leaves are
    right less often than the regression says, its constant is lowered until the mean is right.
    """
    from sklearn.linear_model import LogisticRegression

    answers = drawn_answers(paths, folder)
    real = [] if shared is None else real_answers(shared, folder)
    threshold = min(THRESHOLDS, key=lambda each: _error(real or answers, each))
    features = np.array([one.evidence(threshold) for one in answers])
    right = np.array([abs(one.numbers[threshold] - one.truth) <= 1 for one in answers])
    half = np.arange(len(answers)) // 2 % 2 == 0
    for fit, test in ((half, ~half), (~half, half)):
        model = LogisticRegression(C=1.0, max_iter=1000).fit(features[fit], right[fit])
        _reliability("drawn, not fitted", model.predict_proba(features[test])[:, 1], right[test])
    model = LogisticRegression(C=1.0, max_iter=1000).fit(features, right)
    constant = float(model.intercept_[0])
    if real:
        odds = model.decision_function(np.array([one.evidence(threshold) for one in real]))
        within = np.array([abs(one.numbers[threshold] - one.truth) <= 1 for one in real])
        _reliability("real, as fitted on drawn leaves", 1 / (1 + np.exp(-odds)), within)
        means = {each: float(np.mean(1 / (1 + np.exp(each - odds)))) for each in np.linspace(0, 6, 121)}
        lowered = min(means, key=lambda each: abs(means[each] - float(within.mean())))
        constant -= float(lowered)
        _reliability(f"real, lowered by {lowered:.2f}", 1 / (1 + np.exp(lowered - odds)), within)
    coefficients = [constant, *model.coef_[0].tolist()]
    content = {"threshold": threshold, "coefficients": [round(c, 4) for c in coefficients], "sides": len(answers)}
    (folder / CALIBRATION).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    for name, each in (("drawn", answers), ("real", real)):
        print(name, {at: round(_error(each, at), 3) for at in THRESHOLDS} if each else "none")
    print(f"threshold {threshold}, {len(answers)} sides, {right.mean():.1%} within 1")


def _error(answers: list[Answer], threshold: float) -> float:
    """Mean error, at most 4 a side, of the kinds of leaves that are named, each of the same weight."""
    kinds: dict[str, list[float]] = {}
    for one in answers:
        name = one.kind if one.kind in TABLES else "drawn"
        kinds.setdefault(name, []).append(min(abs(one.numbers[threshold] - one.truth), 4.0))
    return float(np.mean([np.mean(errors) for errors in kinds.values()]))


def _reliability(name: str, quality: NDArray[np.float64], right: NDArray[np.bool_]) -> None:
    print(f"{name}:\n\n| quality | sides | within 1 |\n|---|---:|---:|")
    for low, high in ((0, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01)):
        chosen = (quality >= low) & (quality < high)
        share = f"{right[chosen].mean():.0%}" if chosen.any() else ""
        print(f"| {low} to {min(high, 1)} | {chosen.sum()} | {share} |")


if __name__ == "__main__":
    main()
