"""From logits to an answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafid.bundle import BundleInfo, Calibration
from leafid.taxonomy import Taxonomy
from leafid.trust import UndeterminedReason, decide, probabilities
from tests.identify.small_bundle import bundle_info


def _info(min_score: float) -> BundleInfo:
    return bundle_info(taxonomy=Taxonomy.from_names("abc"), min_score=min_score)


def test_probabilities_are_softmax_of_logits_over_temperature() -> None:
    logits = np.log(np.array([[1.0, 2.0, 5.0], [4.0, 4.0, 8.0]]))
    assert probabilities(logits, Calibration()) == pytest.approx(np.array([[1, 2, 5], [2, 2, 4]]) / 8)
    flatter = probabilities(logits, Calibration(temperature=2.0))
    roots = np.sqrt([1, 2, 5])
    assert flatter[0] == pytest.approx(roots / roots.sum())


@given(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=6), st.floats(0.05, 20))
def test_probabilities_sum_to_one_and_keep_the_order(logits: list[float], temperature: float) -> None:
    (row,) = probabilities(np.array([logits], dtype=np.float32), Calibration(temperature=temperature))
    assert row.sum() == pytest.approx(1) and (row >= 0).all()
    assert row[int(np.argmax(logits))] == row.max()


def test_rows_without_logits_stay_without() -> None:
    rows = probabilities(np.array([[np.nan, np.nan], [0.0, 0.0]]), Calibration())
    assert np.isnan(rows[0]).all() and rows[1] == pytest.approx([0.5, 0.5])


def test_the_most_probable_taxon_is_named_from_the_limit_on() -> None:
    verdict = decide(np.array([0.1, 0.6, 0.3]), _info(0.6))
    assert verdict.identified and verdict.label == 1 and verdict.score == 0.6 and verdict.reason is None
    assert verdict.candidates == ((1, 0.6), (2, 0.3), (0, 0.1))


def test_below_the_limit_nobody_is_named_but_all_candidates_stay() -> None:
    verdict = decide(np.array([0.1, 0.6, 0.3]), _info(0.61))
    assert not verdict.identified and verdict.label is None
    assert verdict.reason is UndeterminedReason.AMBIGUOUS
    assert verdict.score == 0.6 and [label for label, _ in verdict.candidates] == [1, 2, 0]


def test_equal_scores_are_ordered_by_label() -> None:
    assert decide(np.array([0.2, 0.4, 0.4]), _info(0)).candidates == ((1, 0.4), (2, 0.4), (0, 0.2))
