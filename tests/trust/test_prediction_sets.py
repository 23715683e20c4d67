"""Prediction sets reach their nominal coverage, and thresholds agree with the closed form."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leafid.bundle import CoverageLevel, FittedOn, PredictionSets
from leafid.trust.calibration import CalibrationSet
from leafid.trust.prediction_sets import (
    conformal_threshold,
    fit_prediction_sets,
    nonconformity,
    prediction_set_results,
    prediction_sets,
)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=80), st.floats(0.5, 0.99))
def test_with_one_image_each_the_threshold_is_the_order_statistic(scores: list[float], coverage: float) -> None:
    values = np.array(scores)
    rank = math.ceil((len(values) + 1) * coverage - 1e-9)
    expected = np.sort(values)[rank - 1] if rank <= len(values) else math.inf
    assert conformal_threshold(values, [str(number) for number in range(len(values))], coverage) == expected


def test_images_of_one_gathering_share_its_weight() -> None:
    scores = np.array([0.9] * 30 + [0.1] * 19)
    gatherings = ["one"] * 30 + [f"g{number}" for number in range(19)]
    assert conformal_threshold(scores, gatherings, 0.9) == 0.1  # 19 of 20 + 1 gatherings lie at 0.1
    assert conformal_threshold(scores, [str(number) for number in range(49)], 0.9) == 0.9


def test_nonconformity_scores_by_hand() -> None:
    (scores,) = nonconformity(np.array([[0.2, 0.5, 0.3]]))
    assert scores == pytest.approx([0.8, 0.0, 0.5])
    (penalised,) = nonconformity(np.array([[0.2, 0.5, 0.3]]), penalty=0.1, k_reg=1)
    assert penalised == pytest.approx([1.0, 0.0, 0.6])


def _simulate(images: int, seed: int, noise: float = 1.5) -> tuple[np.ndarray, CalibrationSet]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 8, images)
    logits = np.eye(8)[truth] * 2.5 + random.normal(0, noise, (images, 8))
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True), CalibrationSet(
        logits, truth, [str(n) for n in range(images)], "val"
    )


@pytest.mark.parametrize("coverage", [0.9, 0.95])
def test_sets_cover_new_gatherings_of_the_same_kind(coverage: float) -> None:
    """Coverage is guaranteed on average over many validation sets, not for each single one."""
    covered, sizes = [], []
    for seed in range(40):
        scores, known = _simulate(150, seed)
        fitted = fit_prediction_sets(scores, known, coverage)
        new, other = _simulate(400, 1000 + seed)
        sets = prediction_sets(new, fitted)
        covered.append(sets[np.arange(400), other.truth].mean())
        sizes.append(sets.sum(axis=1).mean())
    assert np.mean(covered) == pytest.approx(coverage, abs=0.01)
    assert 1 < np.mean(sizes) < 5


def test_no_set_is_empty_and_the_first_candidate_is_in_each() -> None:
    scores, _ = _simulate(200, 5)
    none = PredictionSets(
        coverage=0.9,
        levels=(CoverageLevel(coverage=0.9, threshold=-1.0),),
        fitted_on=FittedOn(split="val", images=1, gatherings=1),
    )
    sets = prediction_sets(scores, none)
    assert sets[np.arange(len(sets)), scores.argmax(axis=1)].all()
    assert (sets == ((scores > 0.1) | (scores == scores.max(axis=1, keepdims=True)))).all()


@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=7), st.floats(0, 1))
@settings(max_examples=50)
def test_a_set_holds_the_most_probable_candidates(weights: list[float], threshold: float) -> None:
    scores = np.array([weights]) / sum(weights)
    fitted = PredictionSets(
        coverage=0.9,
        levels=(CoverageLevel(coverage=0.9, threshold=threshold),),
        fitted_on=FittedOn(split="val", images=1, gatherings=1),
    )
    (members,) = prediction_sets(scores, fitted)
    ranked = members[np.argsort(-scores[0], kind="stable")]
    assert ranked[0] and (np.diff(ranked.astype(int)) <= 0).all()


def test_a_probable_taxon_is_not_excluded_where_nearly_all_first_candidates_are_right() -> None:
    sure = np.tile([0.98, 0.01, 0.01], (60, 1))
    fitting = CalibrationSet(np.log(sure), np.zeros(60, dtype=np.int64), [str(n) for n in range(60)], "val")
    fitted = fit_prediction_sets(sure, fitting, 0.95)
    unsure = np.array([[0.48, 0.46, 0.06], [0.92, 0.04, 0.04]])
    assert prediction_sets(unsure, fitted).tolist() == [[True, True, True], [True, False, False]]


def test_too_few_gatherings_exclude_nothing_and_give_valid_json() -> None:
    scores, known = _simulate(5, 0)
    fitted = fit_prediction_sets(scores, known, 0.95)
    assert prediction_sets(scores, fitted).all()
    assert PredictionSets.model_validate_json(fitted.model_dump_json()) == fitted


def test_a_taxon_with_many_gatherings_has_its_own_threshold() -> None:
    scores, known = _simulate(400, 3)
    truth = np.where(np.arange(400) < 150, 0, 1 + np.arange(400) % 7)
    fitted = fit_prediction_sets(scores, CalibrationSet(known.logits, truth, known.gatherings, "val"), 0.9)
    assert set(fitted.level.taxon_thresholds) == {0}


def test_coverage_and_size_of_sets_are_measured() -> None:
    scores, known = _simulate(300, 9)
    fitted = fit_prediction_sets(scores, known, 0.8)
    results = prediction_set_results(scores, known.truth, known.gatherings, fitted)
    assert [one.nominal_coverage for one in results] == [0.8, 0.9, 0.95]
    for one in results:
        assert one.coverage >= one.nominal_coverage - 0.005 and one.mean_size >= 1
        assert one.coverage_interval is not None
        assert one.coverage_interval[0] <= one.coverage <= one.coverage_interval[1]
