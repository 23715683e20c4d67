r"""Fit how sure a count of secondary veins is, on drawn leaves that the parser has not learnt from.

    python scripts/calibrate_leaf_parser.py runs/held-back --weights src/leafid/sheets/leaf_parser/weights

Chooses the threshold of the row signal, fits the share of counts within 1 of the truth by logistic regression, prints
how well that holds on halves that were not fitted, and writes `counting.json` beside the weights.
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from leaf_parser_scenes import Scene, held_back
from numpy.typing import NDArray

from leafid.sheets.leaf_parser.counting import CALIBRATION, counted, evidence
from leafid.sheets.leaf_parser.parsing import read_views
from leafid.sheets.leaf_parser.weights import FOLDER


def main() -> None:
    """Calibrate and print how well it holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path, help="folder of held-back scenes; they are drawn where they are missing")
    parser.add_argument("--weights", type=Path, default=FOLDER)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    calibrate(held_back(options.scenes), options.weights)


@dataclass(frozen=True)
class DrawnAnswer:
    """One side of a drawn leaf: the evidence for its count, chances of departures, and the true number."""

    evidence: dict[float, list[float]]
    numbers: dict[float, int]
    truth: int
    kind: str


THRESHOLDS = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)


def drawn_answers(paths: Iterable[Path], weights: Path) -> list[DrawnAnswer]:
    """Read whole leaves of drawn scenes."""
    answers = []
    for path in paths:
        scene = Scene.load(path)
        for reading, view, _ in read_views(scene.image, folder=weights):
            number = _matching_truth(scene, view.to_picture(np.stack([reading.base, reading.apex])))
            if number is None:
                continue
            truth = scene.leaves[number]
            for side, lines in ((reading.left, truth.left), (reading.right, truth.right)):
                answers.append(
                    DrawnAnswer(
                        {each: evidence(reading, side, view.px_scale, each) for each in THRESHOLDS},
                        {each: len(counted(side, each)) for each in THRESHOLDS},
                        len(lines),
                        scene.kind,
                    )
                )
    return answers


def _matching_truth(scene: Scene, ends: NDArray[np.float64]) -> int | None:
    """The drawn leaf with these ends, within a tenth of its length, as long as nearly all of it is seen."""
    for number, leaf in enumerate(scene.leaves):
        length = float(np.hypot(*(leaf.apex - leaf.base)))
        away = np.hypot(*(ends - np.stack([leaf.base, leaf.apex])).T).max()
        if away < 0.1 * length and leaf.facts["visible_fraction"] > 0.9 and not leaf.facts["folded"]:
            return number
    return None


def calibrate(paths: list[Path], folder: Path) -> None:
    """Choose the threshold with the smallest error, then fit how often a count is within 1 (logistic regression)."""
    from sklearn.linear_model import LogisticRegression

    answers = drawn_answers(paths, folder)
    errors = {each: np.array([abs(one.numbers[each] - one.truth) for one in answers]) for each in THRESHOLDS}
    threshold = min(THRESHOLDS, key=lambda each: float(np.minimum(errors[each], 4).mean()))
    features = np.array([one.evidence[threshold] for one in answers])
    right = errors[threshold] <= 1
    half = np.arange(len(answers)) // 2 % 2 == 0
    for fit, test in ((half, ~half), (~half, half)):
        model = LogisticRegression(C=1.0, max_iter=1000).fit(features[fit], right[fit])
        _reliability(model.predict_proba(features[test])[:, 1], right[test])
    model = LogisticRegression(C=1.0, max_iter=1000).fit(features, right)
    coefficients = [float(model.intercept_[0]), *model.coef_[0].tolist()]
    content = {"threshold": threshold, "coefficients": [round(c, 4) for c in coefficients], "sides": len(answers)}
    (folder / CALIBRATION).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print({each: (round(float(e.mean()), 3), round(float((e <= 1).mean()), 3)) for each, e in errors.items()})
    print(f"threshold {threshold}, {len(answers)} sides, {right.mean():.1%} within 1")


def _reliability(quality: NDArray[np.float64], right: NDArray[np.bool_]) -> None:
    print("| quality | sides | within 1 |\n|---|---:|---:|")
    for low, high in ((0, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01)):
        chosen = (quality >= low) & (quality < high)
        share = f"{right[chosen].mean():.0%}" if chosen.any() else ""
        print(f"| {low} to {min(high, 1)} | {chosen.sum()} | {share} |")


if __name__ == "__main__":
    main()
