"""Figures against cases worked out by hand."""

import numpy as np
import pytest
from torchmetrics.functional.classification import multiclass_f1_score

from leafid.taxonomy import Taxonomy
from leafid.trust.evaluation.metrics import against_rest, by_taxon, confusion_matrix, overall

TAXA = Taxonomy.from_names(["A a", "B b", "C c", "D d"], target="B b")
EACH = list("abcdefgh")
TRUTH = np.array([0, 0, 0, 0, 1, 1, 2, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 2, 1, 2])
"""By hand: A 3 of 4, never wrongly named; B 1 of 2, named 3 times; C 1 of 2, named twice; D does not occur at all."""


def test_each_taxon_by_hand() -> None:
    a, b, c, d = by_taxon(TRUTH, PREDICTED, TAXA, EACH)
    assert (a.images, a.predicted, a.correct) == (4, 3, 3)
    assert (a.precision, a.recall) == (1, 0.75) and a.f1 == pytest.approx(6 / 7)
    assert b.precision == pytest.approx(1 / 3) and b.recall == 0.5 and b.f1 == pytest.approx(0.4)
    assert (c.precision, c.recall, c.f1) == (0.5, 0.5, 0.5)
    assert (d.images, d.predicted, d.precision, d.recall, d.f1) == (0, 0, None, None, None)


def test_overall_by_hand_a_taxon_that_does_not_occur_is_left_out() -> None:
    figures = overall(TRUTH, PREDICTED, EACH)
    assert figures["accuracy"] == 5 / 8
    assert figures["macro_f1"] == pytest.approx((6 / 7 + 0.4 + 0.5) / 3) and figures["macro_f1_taxa"] == 3
    assert figures["balanced_accuracy"] == pytest.approx((0.75 + 0.5 + 0.5) / 3)


def test_macro_f1_is_the_one_that_training_watches() -> None:
    import torch

    watched = multiclass_f1_score(torch.from_numpy(PREDICTED), torch.from_numpy(TRUTH), num_classes=4, average="macro")
    assert overall(TRUTH, PREDICTED, EACH)["macro_f1"] == pytest.approx(float(watched))


def test_a_taxon_without_images_that_is_named_counts_with_f1_zero() -> None:
    truth, predicted = np.array([0, 0]), np.array([0, 3])
    *_, d = by_taxon(truth, predicted, TAXA, ["a", "b"])
    assert (d.images, d.predicted, d.precision, d.recall, d.f1) == (0, 1, 0, None, 0)
    figures = overall(truth, predicted, ["a", "b"])
    assert figures["macro_f1"] == pytest.approx((2 / 3 + 0) / 2) and figures["macro_f1_taxa"] == 2
    assert figures["balanced_accuracy"] == 0.5


def test_target_against_the_rest_by_hand() -> None:
    probabilities = np.eye(4)[PREDICTED] * 0.4 + 0.15
    probabilities[:, 1] += np.array([0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07])
    figures = against_rest(TRUTH, probabilities, TAXA, EACH)
    assert figures is not None
    assert (figures.images, figures.others, figures.found, figures.mistaken) == (2, 6, 1, 2)
    assert figures.sensitivity == 0.5 and figures.specificity == pytest.approx(4 / 6)
    # Target's probabilities: images of B .59 .20; of others .15 .16 .17 .58 .61 .22. Pairs won: 5 of 6, and 3 of 6.
    assert figures.auroc == pytest.approx(8 / 12)


def test_figures_that_are_not_defined_are_missing() -> None:
    others, targets = np.array([0, 2]), np.array([1, 1])
    scores = np.full((2, 4), 0.25)
    without = against_rest(others, scores, TAXA, ["a", "b"])
    assert without is not None
    assert without.sensitivity is None and without.auroc is None and without.specificity == 1
    only = against_rest(targets, scores, TAXA, ["a", "b"])
    assert only is not None
    assert only.specificity is None and only.auroc is None and only.sensitivity == 0
    assert against_rest(others, scores, Taxonomy.from_names(["A a", "B b"]), ["a", "b"]) is None


def test_no_images_at_all() -> None:
    nothing = np.array([], dtype=np.int64)
    assert overall(nothing, nothing, []) == {
        "accuracy": None,
        "macro_f1": None,
        "macro_f1_taxa": 0,
        "balanced_accuracy": None,
    }
    assert [taxon.f1 for taxon in by_taxon(nothing, nothing, TAXA, [])] == [None] * 4
    empty = against_rest(nothing, np.empty((0, 4)), TAXA, [])
    assert empty is not None and empty.auroc is None and empty.images == 0


def test_one_taxon_only_and_the_shape_of_the_confusion_matrix() -> None:
    same = np.array([1, 1])
    assert confusion_matrix(same, same, 4).tolist() == [[0] * 4, [0, 2, 0, 0], [0] * 4, [0] * 4]
    assert confusion_matrix(TRUTH, PREDICTED, 4)[0].tolist() == [3, 1, 0, 0]
