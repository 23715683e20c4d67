"""The result of a cross-validation: folds, baselines, and their tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leafid.bundle import Interval
from leafid.tables import write_frame
from leafid.trust.evaluation_schema import Evaluation

FOLDS_TABLE, SUMMARY_TABLE = "crossvalidation.csv", "crossvalidation_summary.csv"

METRICS = ("macro_f1", "accuracy", "nll")
"""Metrics of the summary."""


@dataclass(frozen=True)
class Baseline:
    """A classifier of scikit-learn on one view of each image, trained and tested on the images of a fold."""

    name: str
    macro_f1: float
    accuracy: float
    nll: float


@dataclass(frozen=True)
class Fold:
    """One fold: some images are the test set, all others are for training and validation.

    Attributes:
        value: its number, or the held-out value, such as an institution code.
        run: the run folder.
        evaluation: on the held-out images; None if the fold could not be trained or measured.
        kept: the network that training kept, such as ``probe``; None likewise.
        baselines: on the same images.
        problem: the reason why there is no evaluation; None otherwise.
    """

    value: str
    run: Path
    evaluation: Evaluation | None = None
    kept: str | None = None
    baselines: tuple[Baseline, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class Crossvalidation:
    """All folds, and the folder with their tables."""

    by: str
    folds: tuple[Fold, ...]
    folder: Path

    @property
    def scores(self) -> dict[str, dict[str, list[float]]]:
        """The metrics of each method in each fold, by method and metric."""
        scores: dict[str, dict[str, list[float]]] = {}
        for fold in self.folds:
            if fold.evaluation is None:
                continue
            methods = [("leafid", _metrics(fold.evaluation)), *((one.name, vars(one)) for one in fold.baselines)]
            for name, values in methods:
                for metric in METRICS:
                    if values[metric] is not None:
                        scores.setdefault(name, {}).setdefault(metric, []).append(values[metric])
        return scores

    def __str__(self) -> str:
        """Return tables for the terminal, with the limits of the first fold's bundle."""
        lines = [f"{self.by:20} images   accuracy               macro-F1               NLL     undetermined"]
        for fold in self.folds:
            result = fold.evaluation
            if result is None:
                lines.append(f"{fold.value:20} {fold.problem}")
                continue
            lines.append(
                f"{fold.value:20} {result.read:6}   {_value(result.accuracy, result.accuracy_interval):22} "
                f"{_value(result.macro_f1, result.macro_f1_interval):22} {_value(_metrics(result)['nll']):7} "
                f"{_value(result.undetermined_share)}"
            )
        limits = [fold.evaluation.limits for fold in self.folds if fold.evaluation][:1]
        lines += ["", f"{'mean ± sd of folds':36} accuracy        macro-F1        NLL"]
        for name, by_metric in self.scores.items():
            shown = [mean_and_sd(by_metric.get(metric, [])) for metric in ("accuracy", "macro_f1", "nll")]
            lines.append(f"{name:36} " + " ".join(f"{one:15}" for one in shown).rstrip())
        return "\n".join([*lines, "", str(self.folder / FOLDS_TABLE), str(self.folder / SUMMARY_TABLE), *limits])


def write_crossvalidation(result: Crossvalidation) -> None:
    """Write a row for each fold and a row for each method, as CSV."""
    import pandas as pd

    summary = [
        {"method": name, "folds": len(by_metric["macro_f1"])}
        | {
            f"{metric}_{kind}": value
            for metric, values in by_metric.items()
            for kind, value in (("mean", float(np.mean(values))), ("sd", _sd(values)))
        }
        for name, by_metric in result.scores.items()
    ]
    result.folder.mkdir(parents=True, exist_ok=True)
    for name, rows in ((FOLDS_TABLE, [_row(result.by, fold) for fold in result.folds]), (SUMMARY_TABLE, summary)):
        write_frame(pd.DataFrame(rows), result.folder / name)


def mean_and_sd(values: Sequence[float]) -> str:
    """Return the mean and the standard deviation between folds as text."""
    if not values:
        return "-"
    sd = _sd(values)
    return f"{np.mean(values):.3f}" + (f" ± {sd:.3f}" if sd is not None else "")


def _sd(values: Sequence[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _metrics(evaluation: Evaluation) -> dict[str, float | None]:
    return {
        "macro_f1": evaluation.macro_f1,
        "accuracy": evaluation.accuracy,
        "nll": evaluation.calibration.nll if evaluation.calibration else None,
    }


def _row(by: str, fold: Fold) -> dict[str, object]:
    evaluation = fold.evaluation
    row: dict[str, object] = {by: fold.value, "run": fold.run.name, "problem": fold.problem}
    if evaluation is not None:
        row |= {"images": evaluation.read, "gatherings": evaluation.gatherings, "kept": fold.kept}
        row |= {"accuracy": evaluation.accuracy} | _interval_columns("accuracy", evaluation.accuracy_interval)
        row |= {"macro_f1": evaluation.macro_f1, "macro_f1_taxa": evaluation.macro_f1_taxa}
        row |= _interval_columns("macro_f1", evaluation.macro_f1_interval)
        row |= {
            "balanced_accuracy": evaluation.balanced_accuracy,
            "nll": evaluation.calibration and evaluation.calibration.nll,
            "ece": evaluation.calibration and evaluation.calibration.ece,
            "undetermined_share": evaluation.undetermined_share,
            "target_auroc": evaluation.target and evaluation.target.auroc,
        }
        for baseline in fold.baselines:
            row |= {f"{baseline.name}: {metric}": getattr(baseline, metric) for metric in METRICS}
    return row


def _interval_columns(name: str, ends: Interval | None) -> dict[str, object]:
    low, high = ends or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _value(value: float | None, ends: Interval | None = None) -> str:
    return "-" if value is None else f"{value:.3f}" + (f" ({ends[0]:.3f}-{ends[1]:.3f})" if ends else "")
