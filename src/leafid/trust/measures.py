"""From true labels and probabilities to figures. The arithmetic is scikit-learn's."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leafid.taxonomy import Taxonomy
from leafid.trust.figures import TargetFigures, TaxonFigures

Labels = NDArray[np.int64]


def overall(truth: Labels, predicted: Labels) -> dict[str, Any]:
    """Return accuracy, macro-F1 and balanced accuracy as fields of an ``Evaluation``; missing without images.

    Args:
        truth: (N,) true labels.
        predicted: (N,) predicted labels.
    """
    from sklearn.metrics import accuracy_score, f1_score, recall_score

    if not len(truth):
        return {"accuracy": None, "macro_f1": None, "macro_f1_taxa": 0, "balanced_accuracy": None}
    occurring = np.union1d(truth, predicted)
    return {
        "accuracy": float(accuracy_score(truth, predicted)),
        "macro_f1": float(f1_score(truth, predicted, labels=occurring, average="macro", zero_division=0)),
        "macro_f1_taxa": len(occurring),
        "balanced_accuracy": float(recall_score(truth, predicted, labels=np.unique(truth), average="macro")),
    }


def by_taxon(truth: Labels, predicted: Labels, taxonomy: Taxonomy) -> tuple[TaxonFigures, ...]:
    """Return precision, recall and F1 of each taxon, in label order."""
    from sklearn.metrics import precision_recall_fscore_support

    confusion = confusion_matrix(truth, predicted, len(taxonomy))
    if len(truth):
        scores = precision_recall_fscore_support(
            truth, predicted, labels=np.arange(len(taxonomy)), zero_division=np.nan
        )[:3]
    else:
        scores = (np.full(len(taxonomy), np.nan),) * 3
    return tuple(
        TaxonFigures(
            scientific_name=taxon.scientific_name,
            images=int(confusion[label].sum()),
            predicted=int(confusion[:, label].sum()),
            correct=int(confusion[label, label]),
            precision=_present(scores[0][label]),
            recall=_present(scores[1][label]),
            f1=_present(scores[2][label]),
        )
        for label, taxon in taxonomy.each()
    )


def against_rest(truth: Labels, probabilities: NDArray[np.float64], taxonomy: Taxonomy) -> TargetFigures | None:
    """Return the figures of the target against all other taxa together; None without a target.

    Args:
        truth: (N,) true labels.
        probabilities: (N, T), calibrated.
        taxonomy: the bundle's.
    """
    from sklearn.metrics import roc_auc_score

    label = taxonomy.target_label
    if label is None or taxonomy.target is None:
        return None
    is_target = truth == label
    named = probabilities.argmax(axis=1) == label if len(truth) else is_target
    images, others = int(is_target.sum()), int((~is_target).sum())
    found, mistaken = int((is_target & named).sum()), int((~is_target & named).sum())
    return TargetFigures(
        scientific_name=taxonomy.target,
        images=images,
        others=others,
        found=found,
        mistaken=mistaken,
        sensitivity=found / images if images else None,
        specificity=1 - mistaken / others if others else None,
        auroc=float(roc_auc_score(is_target, probabilities[:, label])) if images and others else None,
    )


def confusion_matrix(truth: Labels, predicted: Labels, taxa: int) -> NDArray[np.int64]:
    """Return counts (T, T): rows are true labels, columns predicted ones."""
    from sklearn.metrics import confusion_matrix as count

    if not len(truth):
        return np.zeros((taxa, taxa), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a single taxon in truth and predictions is no mistake here
        return np.asarray(count(truth, predicted, labels=np.arange(taxa)), dtype=np.int64)


def _present(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
