"""Metrics agree with cases computed by hand."""

import numpy as np
import pytest
from torchmetrics.functional.classification import multiclass_f1_score

from leafid.taxonomy import Taxonomy
from leafid.trust.evaluation.metrics import confusion_matrix, overall_results, target_result, taxon_results

TAXA = Taxonomy.from_names(["A a", "B b", "C c", "D d"], target="B b")
EACH = list("abcdefgh")
TRUTH = np.array([0, 0, 0, 0, 1, 1, 2, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 2, 1, 2])
"""By hand: A 3 of 4 correct, no false positive; B 1 of 2, predicted 3 times; C 1 of 2, predicted twice; D absent."""


def test_each_taxon_by_hand() -> None:
    a, b, c, d = taxon_results(TRUTH, PREDICTED, TAXA, EACH)
    assert (a.images, a.predicted, a.correct) == (4, 3, 3)
    assert (a.precision, a.recall) == (1, 0.75) and a.f1 == pytest.approx(6 / 7)
    assert b.precision == pytest.approx(1 / 3) and b.recall == 0.5 and b.f1 == pytest.approx(0.4)
    assert (c.precision, c.recall, c.f1) == (0.5, 0.5, 0.5)
    assert (d.images, d.predicted, d.precision, d.recall, d.f1) == (0, 0, None, None, None)


def test_a_taxon_that_does_not_occur_is_left_out_of_the_means() -> None:
    results = overall_results(TRUTH, PREDICTED, EACH)
    assert results["accuracy"] == 5 / 8
    assert results["macro_f1"] == pytest.approx((6 / 7 + 0.4 + 0.5) / 3) and results["macro_f1_taxa"] == 3
    assert results["balanced_accuracy"] == pytest.approx((0.75 + 0.5 + 0.5) / 3)


def test_macro_f1_agrees_with_that_watched() -> None:
    import torch

    watched = multiclass_f1_score(torch.from_numpy(PREDICTED), torch.from_numpy(TRUTH), num_classes=4, average="macro")
    assert overall_results(TRUTH, PREDICTED, EACH)["macro_f1"] == pytest.approx(float(watched))


def test_a_predicted_taxon_without_images_counts_with_f1_zero() -> None:
    truth, predicted = np.array([0, 0]), np.array([0, 3])
    *_, d = taxon_results(truth, predicted, TAXA, ["a", "b"])
    assert (d.images, d.predicted, d.precision, d.recall, d.f1) == (0, 1, 0, None, 0)
    results = overall_results(truth, predicted, ["a", "b"])
    assert results["macro_f1"] == pytest.approx((2 / 3 + 0) / 2) and results["macro_f1_taxa"] == 2
    assert results["balanced_accuracy"] == 0.5


def test_target_against_the_rest_by_hand() -> None:
    probabilities = np.eye(4)[PREDICTED] * 0.4 + 0.15
    probabilities[:, 1] += np.array([0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07])
    results = target_result(TRUTH, probabilities, TAXA, EACH)
    assert results is not None
    assert (results.images, results.others, results.true_positives, results.false_positives) == (2, 6, 1, 2)
    assert results.sensitivity == 0.5 and results.specificity == pytest.approx(4 / 6)
    # Target's probabilities: images of B .59 .20; of others .15 .16 .17 .58 .61 .22. Pairs won: 5 of 6, and 3 of 6.
    assert results.auroc == pytest.approx(8 / 12)


def test_undefined_metrics_are_none() -> None:
    others, targets = np.array([0, 2]), np.array([1, 1])
    scores = np.full((2, 4), 0.25)
    without = target_result(others, scores, TAXA, ["a", "b"])
    assert without is not None
    assert without.sensitivity is None and without.auroc is None and without.specificity == 1
    only = target_result(targets, scores, TAXA, ["a", "b"])
    assert only is not None
    assert only.specificity is None and only.auroc is None and only.sensitivity == 0
    assert target_result(others, scores, Taxonomy.from_names(["A a", "B b"]), ["a", "b"]) is None


def test_no_images_at_all() -> None:
    nothing = np.array([], dtype=np.int64)
    assert overall_results(nothing, nothing, []) == {
        "accuracy": None,
        "macro_f1": None,
        "macro_f1_taxa": 0,
        "balanced_accuracy": None,
    }
    assert [taxon.f1 for taxon in taxon_results(nothing, nothing, TAXA, [])] == [None] * 4
    empty = target_result(nothing, np.empty((0, 4)), TAXA, [])
    assert empty is not None and empty.auroc is None and empty.images == 0


def test_one_taxon_only_and_the_shape_of_the_confusion_matrix() -> None:
    same = np.array([1, 1])
    assert confusion_matrix(same, same, 4).tolist() == [[0] * 4, [0, 2, 0, 0], [0] * 4, [0] * 4]
    assert confusion_matrix(TRUTH, PREDICTED, 4)[0].tolist() == [3, 1, 0, 0]
