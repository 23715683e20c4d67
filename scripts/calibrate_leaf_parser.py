r"""Fit how sure a count of secondary veins is: coefficients of `leafid.characters.veins.two_readers`.

    python scripts/calibrate_leaf_parser.py --photographs 400 --shared ../shared --answers answers.jsonl

Measures leaves of drawn photographs, most of them of a single leaf, 400 to 1,700 pixels long, with all that camera and
web do to a picture, and fits the share of numbers within 1 of the truth by logistic regression. Prints how well that
holds on halves that were not fitted. Leaves counted by eye are right more often than drawn ones of the same evidence:
a second constant is that with which the mean quality of their first halves is the share of them that is right. What was
measured on drawn photographs is kept in a file: a later run goes on from there.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from measure_leaf_parser import TABLES, best_box, first_half, truths
from numpy.typing import NDArray

from leafid.characters import MeasuredLeaf, NotMeasuredReason, measure_file, measure_leaf
from leafid.demo import PhotographedLeaf, draw_photograph
from leafid.sheets import parse_leaves
from leafid.sheets.leaf_parser.counting import long_enough

SEED = 30_000_000
MIN_QUALITY = 0.7
FEWEST = 20
"""Sides of drawn leaves from which the fit is worth anything."""


@dataclass(frozen=True)
class Answer:
    """One side of a leaf: what its quality depends on, the number found, and the true one."""

    evidence: tuple[float, float, float]
    number: int
    truth: float

    @property
    def right(self) -> bool:
        """Whether the number is right within 1."""
        return abs(self.number - self.truth) <= 1


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=400, help="number of photographs to draw")
    parser.add_argument("--shared", type=Path, help="folder with photos/ and veins/: their first halves are used")
    parser.add_argument("--answers", type=Path, help="file in which what was measured on drawn photographs is kept")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    kept = kept_answers(options.answers)
    drawn = [answer for number in range(options.photographs) for answer in measured(number, kept, options.answers)]
    if len(drawn) < FEWEST or len({answer.right for answer in drawn}) < 2:
        parser.error(
            f"--photographs {options.photographs} gave {len(drawn)} sides of leaves whose veins could be counted; "
            f"{FEWEST} are needed, right and wrong ones. Draw more."
        )
    real = [] if options.shared is None else list(real_answers(options.shared))
    report(drawn, real)


def kept_answers(path: Path | None) -> dict[int, list[Answer]]:
    """Read the answers of the photographs that were measured before, by their numbers."""
    if path is None or not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {line["photograph"]: [Answer(**answer) for answer in line["answers"]] for line in lines}


def measured(number: int, kept: dict[int, list[Answer]], path: Path | None) -> list[Answer]:
    """Answers for a photograph: those kept, or new ones, which are kept."""
    if number in kept:
        return kept[number]
    answers = list(drawn_answers(number))
    if path is not None:
        with path.open("a", encoding="utf-8") as opened:
            opened.write(json.dumps({"photograph": number, "answers": [asdict(answer) for answer in answers]}) + "\n")
    return answers


def drawn_answers(number: int) -> Iterator[Answer]:
    """Measure the whole leaves of a drawn photograph."""
    random = np.random.default_rng([number, 99])
    arrangement = str(random.choice(["single", "scattered", "rows"], p=[0.85, 0.1, 0.05]))
    long_side = int(np.exp(random.uniform(np.log(400), np.log(1700))))
    if arrangement != "single":
        long_side = int(random.uniform(1000, 1800))
    photo = draw_photograph(SEED + number, long_side=long_side, arrangement=arrangement)
    for leaf in parse_leaves(photo.image):
        truth = _matching(photo.leaves, np.stack([leaf.base, leaf.apex]))
        if truth is not None:
            numbers = [long_enough(_upright(lines, truth)) for lines in (truth.left, truth.right)]
            yield from _answers(measure_leaf(photo.image, leaf), numbers)


def _matching(leaves: Sequence[PhotographedLeaf], ends: NDArray[np.float64]) -> PhotographedLeaf | None:
    """The drawn leaf with these ends, within a tenth of its length, that is seen whole."""
    for leaf in leaves:
        length = float(np.hypot(*(leaf.apex_xy - leaf.base_xy)))
        away = float(np.hypot(*(ends - np.stack([leaf.base_xy, leaf.apex_xy])).T).max())
        if away < 0.1 * length and leaf.visible_fraction > 0.9 and not (leaf.folded or leaf.cut_by_frame):
            return leaf
    return None


def _upright(lines: Sequence[NDArray[np.float64]], leaf: PhotographedLeaf) -> list[NDArray[np.float64]]:
    """Lines in coordinates across and along the leaf."""
    along = (leaf.apex_xy - leaf.base_xy) / np.hypot(*(leaf.apex_xy - leaf.base_xy))
    turn = np.array([[-along[1], along[0]], along])
    return [np.asarray((line - leaf.base_xy) @ turn.T) for line in lines]


def real_answers(shared: Path) -> Iterator[Answer]:
    """Measure the leaves of the first halves that were counted by eye."""
    for table in TABLES:
        for path, row in first_half(shared, table):
            leaves = measure_file(path, leaves=50).leaves
            index = best_box([leaf.box for leaf in leaves], row) if row.get("bbox_x0") else (0 if leaves else None)
            if index is not None:
                yield from _answers(leaves[index], truths(row))


def _answers(leaf: MeasuredLeaf, numbers: Sequence[float]) -> Iterator[Answer]:
    """Answers where nothing but the quality decides whether a number is given."""
    if leaf.sides is not None and leaf.no_veins in (None, NotMeasuredReason.VEINS_UNCERTAIN):
        for side, truth in zip(leaf.sides, numbers, strict=True):
            yield Answer(side.evidence, side.number, float(truth))


def report(drawn: Sequence[Answer], real: Sequence[Answer]) -> None:
    """Fit, and print coefficients and how well they hold."""
    from sklearn.linear_model import LogisticRegression

    evidence, right = _table(drawn)
    half = np.arange(len(drawn)) // 2 % 2 == 0
    for fit, test in ((half, ~half), (~half, half)):
        model = LogisticRegression(C=3.0, max_iter=1000).fit(evidence[fit], right[fit])
        _reliability("drawn, not fitted", model.predict_proba(evidence[test])[:, 1], right[test])
    model = LogisticRegression(C=3.0, max_iter=1000).fit(evidence, right)
    print(
        f"{len(drawn)} drawn sides, {right.mean():.1%} within 1: {model.coef_[0].round(2)}, {model.intercept_[0]:.2f}"
    )
    if not real:
        return
    evidence, right = _table(real)
    odds = evidence @ model.coef_[0]
    constants = np.linspace(-10, 20, 3001)
    means = np.array([float(np.mean(1 / (1 + np.exp(-odds - constant)))) for constant in constants])
    constant = float(constants[np.abs(means - right.mean()).argmin()])
    quality = 1 / (1 + np.exp(-odds - constant))
    _reliability("counted by eye, first halves, constant fitted", quality, right)
    print(f"{len(real)} sides counted by eye, {right.mean():.1%} within 1: constant {constant:.2f}\n")
    print("| leaves given, the surest first | least quality | within 1 | error per side |\n|---|---:|---:|---:|")
    least = quality.reshape(-1, 2).min(axis=1)
    errors = np.abs([one.number - one.truth for one in real]).reshape(-1, 2)[np.argsort(-least)]
    for given in range(len(least) // 2, len(least) + 1, 2):
        sure, chosen = np.sort(least)[::-1][given - 1], errors[:given]
        print(f"| {given} of {len(least)} | {sure:.2f} | {np.mean(chosen <= 1):.0%} | {chosen.mean():.2f} |")


def _table(answers: Sequence[Answer]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    return np.array([one.evidence for one in answers]), np.array([one.right for one in answers])


def _reliability(name: str, quality: NDArray[np.float64], right: NDArray[np.bool_]) -> None:
    print(f"{name}:\n\n| quality | sides | within 1 |\n|---|---:|---:|")
    for low, high in ((0, 0.3), (0.3, 0.5), (0.5, MIN_QUALITY), (MIN_QUALITY, 0.8), (0.8, 0.9), (0.9, 1.01)):
        chosen = (quality >= low) & (quality < high)
        share = f"{right[chosen].mean():.0%}" if chosen.any() else ""
        print(f"| {low} to {min(high, 1)} | {chosen.sum()} | {share} |")
    print()


if __name__ == "__main__":
    main()
