"""Classification metrics from labels and probabilities, with intervals over gatherings; values are scikit-learn's."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Interval
from leafid.taxonomy import Taxonomy
from leafid.trust.intervals import bootstrap_weights, gathering_codes, jackknife_interval, percentile_interval
from leafid.trust.metric_schemas import TargetResult, TaxonResult

Labels = NDArray[np.int64]

AUROC_RESAMPLES = 300
"""Bootstrap resamples for the interval of an AUROC; fewer than elsewhere, since each one sorts all scores."""


def overall_results(truth: Labels, predicted: Labels, gatherings: Sequence[str], *, seed: int = 0) -> dict[str, Any]:
    """Return accuracy, macro-F1 and balanced accuracy as fields of an ``Evaluation``; None without images.

    Args:
        truth: (N,) true labels.
        predicted: (N,) predicted labels.
        gatherings: the gathering of each image.
        seed: of the bootstrap.
    """
    from sklearn.metrics import accuracy_score, f1_score, recall_score

    if not len(truth):
        return {"accuracy": None, "macro_f1": None, "macro_f1_taxa": 0, "balanced_accuracy": None}
    occurring = np.union1d(truth, predicted)
    macro_f1 = float(f1_score(truth, predicted, labels=occurring, average="macro", zero_division=0))
    counts = _resampled_counts(truth, predicted, int(occurring.max()) + 1, gatherings, seed)
    return {
        "accuracy_interval": percentile_interval(counts.correct.sum(axis=1) / counts.images.sum(axis=1)),
        "macro_f1_interval": jackknife_interval(
            macro_f1, _macro_f1_without_each_gathering(truth, predicted, int(occurring.max()) + 1, gatherings)
        ),
        "balanced_accuracy_interval": percentile_interval(_masked_mean(counts.recall, counts.images > 0)),
        "accuracy": float(accuracy_score(truth, predicted)),
        "macro_f1": macro_f1,
        "macro_f1_taxa": len(occurring),
        "balanced_accuracy": float(recall_score(truth, predicted, labels=np.unique(truth), average="macro")),
    }


def taxon_results(
    truth: Labels, predicted: Labels, taxonomy: Taxonomy, gatherings: Sequence[str], *, seed: int = 0
) -> tuple[TaxonResult, ...]:
    """Return precision, recall and F1 of each taxon, in label order; arguments as for ``overall_results``."""
    from sklearn.metrics import precision_recall_fscore_support

    confusion = confusion_matrix(truth, predicted, len(taxonomy))
    if len(truth):
        scores = precision_recall_fscore_support(
            truth, predicted, labels=np.arange(len(taxonomy)), zero_division=np.nan
        )[:3]
    else:
        scores = (np.full(len(taxonomy), np.nan),) * 3
    counts = _resampled_counts(truth, predicted, len(taxonomy), gatherings, seed)
    units = np.asarray(gatherings, dtype=str)
    return tuple(
        TaxonResult(
            scientific_name=taxon.scientific_name,
            images=int(confusion[label].sum()),
            predicted=int(confusion[:, label].sum()),
            correct=int(confusion[label, label]),
            precision=_none_if_nan(scores[0][label]),
            recall=_none_if_nan(scores[1][label]),
            f1=_none_if_nan(scores[2][label]),
            gatherings=len(np.unique(units[truth == label])),
            precision_interval=_taxon_interval(counts.precision[:, label], units[predicted == label]),
            recall_interval=_taxon_interval(counts.recall[:, label], units[truth == label]),
            f1_interval=_taxon_interval(counts.f1[:, label], units[truth == label]),
        )
        for label, taxon in taxonomy.each()
    )


def target_result(
    truth: Labels,
    probabilities: NDArray[np.float64],
    taxonomy: Taxonomy,
    gatherings: Sequence[str],
    *,
    seed: int = 0,
) -> TargetResult | None:
    """Return the one-vs-rest metrics of the target; None without a target.

    Args:
        truth: (N,) true labels.
        probabilities: (N, T), calibrated.
        taxonomy: the bundle's.
        gatherings: the gathering of each image.
        seed: of the bootstrap.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    label = taxonomy.target_label
    if label is None or taxonomy.target is None:
        return None
    is_target = truth == label
    is_predicted = probabilities.argmax(axis=1) == label if len(truth) else is_target
    images, others = int(is_target.sum()), int((~is_target).sum())
    true_positives = int((is_target & is_predicted).sum())
    false_positives = int((~is_target & is_predicted).sum())
    return TargetResult(
        scientific_name=taxonomy.target,
        images=images,
        others=others,
        true_positives=true_positives,
        false_positives=false_positives,
        sensitivity=true_positives / images if images else None,
        specificity=1 - false_positives / others if others else None,
        **(
            {
                "auroc": float(roc_auc_score(is_target, probabilities[:, label])),
                "auroc_interval": _auroc_interval(is_target, probabilities[:, label], gatherings, seed),
                "average_precision": float(average_precision_score(is_target, probabilities[:, label])),
                "sensitivity_at_95": sensitivity_at_specificity(is_target, probabilities[:, label], 0.95),
                "sensitivity_at_99": sensitivity_at_specificity(is_target, probabilities[:, label], 0.99),
            }
            if images and others
            else {"auroc": None}
        ),
    )


def sensitivity_at_specificity(is_target: NDArray[np.bool_], scores: NDArray[np.float64], specificity: float) -> float:
    """Return the highest sensitivity at a specificity of at least ``specificity``.

    Args:
        is_target: (N,), with both True and False.
        scores: (N,).
        specificity: 0..1.
    """
    from sklearn.metrics import roc_curve

    false_positive_rate, sensitivity, _ = roc_curve(is_target, scores, drop_intermediate=False)
    return float(sensitivity[false_positive_rate <= 1 - specificity + 1e-12].max())  # the tolerance absorbs rounding


def _auroc_interval(
    is_target: NDArray[np.bool_], scores: NDArray[np.float64], gatherings: Sequence[str], seed: int
) -> Interval | None:
    from sklearn.metrics import roc_auc_score

    resamples = bootstrap_weights(gatherings, resamples=AUROC_RESAMPLES, seed=seed)
    values = [
        roc_auc_score(is_target, scores, sample_weight=weights)
        if weights[is_target].any() and weights[~is_target].any()
        else np.nan  # undefined in a resample without targets or without others
        for weights in resamples
    ]
    return percentile_interval(np.array(values))


@dataclass(frozen=True)
class _Counts:
    """Counts in each of R sets of images (R, T): images of each taxon, its predictions, its correct predictions."""

    images: NDArray[np.float64]
    predicted: NDArray[np.float64]
    correct: NDArray[np.float64]

    @property
    def precision(self) -> NDArray[np.float64]:
        return _ratio(self.correct, self.predicted)

    @property
    def recall(self) -> NDArray[np.float64]:
        return _ratio(self.correct, self.images)

    @property
    def f1(self) -> NDArray[np.float64]:
        return _ratio(2 * self.correct, self.images + self.predicted)


def _resampled_counts(truth: Labels, predicted: Labels, taxa: int, gatherings: Sequence[str], seed: int) -> _Counts:
    resamples = bootstrap_weights(gatherings, seed=seed)  # (R, N)
    one_hot = np.eye(taxa)
    correct = one_hot[truth] * (truth == predicted)[:, None]
    return _Counts(resamples @ one_hot[truth], resamples @ one_hot[predicted], resamples @ correct)


def _macro_f1_without_each_gathering(
    truth: Labels, predicted: Labels, taxa: int, gatherings: Sequence[str]
) -> NDArray[np.float64]:
    """Return macro-F1 over the taxa that remain when each of G gatherings is left out: (G,); (0,) with only one."""
    codes = gathering_codes(gatherings)
    if not codes.any():
        return np.zeros(0)
    images, named, correct = np.zeros((3, int(codes.max()) + 1, taxa))  # of each gathering
    np.add.at(images, (codes, truth), 1)
    np.add.at(named, (codes, predicted), 1)
    np.add.at(correct, (codes, truth), truth == predicted)
    rest = _Counts(*(counts.sum(axis=0) - counts for counts in (images, named, correct)))
    return _masked_mean(rest.f1, (rest.images + rest.predicted) > 0)


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``part / whole``; NaN where ``whole`` is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def _masked_mean(values: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean over the taxa that occur in a resample; (R, T) -> (R,)."""
    return np.asarray(np.where(mask, values, 0).sum(axis=1) / mask.sum(axis=1))


def _taxon_interval(values: NDArray[np.float64], gatherings: NDArray[np.str_]) -> Interval | None:
    """Return the interval of a taxon's metric; None with fewer than three gatherings, too few to resample."""
    return percentile_interval(values) if len(np.unique(gatherings)) >= 3 else None


def confusion_matrix(truth: Labels, predicted: Labels, taxa: int) -> NDArray[np.int64]:
    """Return counts (T, T): rows are true labels, columns predicted ones."""
    from sklearn.metrics import confusion_matrix as count

    if not len(truth):
        return np.zeros((taxa, taxa), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of a single label, which is not an error here
        return np.asarray(count(truth, predicted, labels=np.arange(taxa)), dtype=np.int64)


def _none_if_nan(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
