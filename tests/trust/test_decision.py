"""From logits to an identification."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafid.bundle import (
    BundleInfo,
    Calibration,
    CoverageLevel,
    Decision,
    FittedOn,
    OodDetector,
    OodPart,
    PredictionSets,
)
from leafid.taxonomy import Rank, Taxonomy
from leafid.trust import ImageQuality, UndeterminedReason, decide
from leafid.trust.calibration import calibrated_probabilities
from leafid.trust.decision import reported_ranks
from tests.identify.small_bundle import bundle_info


def _info(min_probability: float) -> BundleInfo:
    return bundle_info(taxonomy=Taxonomy.from_names("abc"), min_probability=min_probability)


def _info_with_sets() -> BundleInfo:
    fitted = FittedOn(split="val", images=9, gatherings=9)
    sets = PredictionSets(coverage=0.9, levels=(CoverageLevel(coverage=0.9, threshold=0.7),), fitted_on=fitted)
    return _info(0.5).model_copy(update={"prediction_sets": sets})


def test_probabilities_are_softmax_of_logits_over_temperature() -> None:
    logits = np.log(np.array([[1.0, 2.0, 5.0], [4.0, 4.0, 8.0]]))
    assert calibrated_probabilities(logits, Calibration()) == pytest.approx(np.array([[1, 2, 5], [2, 2, 4]]) / 8)
    flatter = calibrated_probabilities(logits, Calibration(temperature=2.0))
    roots = np.sqrt([1, 2, 5])
    assert flatter[0] == pytest.approx(roots / roots.sum())


@given(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=6), st.floats(0.05, 20))
def test_probabilities_sum_to_one_and_keep_the_order(logits: list[float], temperature: float) -> None:
    (row,) = calibrated_probabilities(np.array([logits], dtype=np.float32), Calibration(temperature=temperature))
    assert row.sum() == pytest.approx(1) and (row >= 0).all()
    assert row[int(np.argmax(logits))] == row.max()


def test_rows_of_nan_stay_nan() -> None:
    rows = calibrated_probabilities(np.array([[np.nan, np.nan], [0.0, 0.0]]), Calibration())
    assert np.isnan(rows[0]).all() and rows[1] == pytest.approx([0.5, 0.5])


def test_the_most_probable_taxon_is_named_from_the_threshold_on() -> None:
    identification = decide(np.array([0.1, 0.6, 0.3]), _info(0.6))
    assert (
        identification.identified
        and identification.name == "b"
        and identification.probability == 0.6
        and identification.reason is None
    )
    assert identification.candidates == ((1, 0.6), (2, 0.3), (0, 0.1))


def test_below_the_threshold_no_taxon_is_named_but_all_candidates_are_listed() -> None:
    identification = decide(np.array([0.1, 0.6, 0.3]), _info(0.61))
    assert not identification.identified and identification.name is None
    assert identification.reason is UndeterminedReason.AMBIGUOUS
    assert identification.probability == 0.6 and [label for label, _ in identification.candidates] == [1, 2, 0]


MITRAGYNA = Taxonomy.from_names(["Coffea arabica", "Mitragyna hirsuta", "Mitragyna speciosa"])


def test_the_genus_is_named_when_only_the_genus_is_probable_enough() -> None:
    info = bundle_info(taxonomy=MITRAGYNA, min_probability=0.8)
    identification = decide(np.array([0.1, 0.4, 0.5]), info)
    assert (identification.name, identification.rank, identification.reason) == ("Mitragyna", Rank.GENUS, None)
    assert identification.probability == pytest.approx(0.9)
    assert [label for label, _ in identification.candidates] == [2, 1, 0]
    assert decide(np.array([0.3, 0.3, 0.4]), info).reason is UndeterminedReason.AMBIGUOUS
    assert decide(np.array([0.05, 0.1, 0.85]), info).name == "Mitragyna speciosa"


def test_a_genus_that_all_taxa_share_is_never_named() -> None:
    taxa = Taxonomy.from_names(["Mitragyna hirsuta", "Mitragyna speciosa"])
    assert not decide(np.array([0.5, 0.5]), bundle_info(taxonomy=taxa, min_probability=0.8)).identified
    assert reported_ranks(taxa) == () and reported_ranks(MITRAGYNA) == (Rank.GENUS,)


GOOD_PHOTO = {
    "good": 0.9, "blurred": 0.02, "not_a_leaf": 0.02, "several_plants": 0.02, "cut_off": 0.02, "too_small": 0.02,
}  # fmt: skip
GOOD = ImageQuality(shorter_side=500, brightness=200, answers=GOOD_PHOTO)


def _answers(reason: str, probability: float = 0.9) -> dict[str, float]:
    """Answers of the input gate that speak for a reason, else for a suitable photo."""
    return {**dict.fromkeys(GOOD_PHOTO, 0.0), "good": 1 - probability, reason: probability}


@pytest.mark.parametrize(
    ("ood_score", "quality", "reason"),
    [
        (0.1, GOOD, None),
        (None, None, None),
        (0.8, GOOD, "unknown_taxon"),
        (0.1, replace(GOOD, shorter_side=99), "too_small"),
        (0.8, replace(GOOD, answers=_answers("blurred")), "blurred"),
        (0.8, replace(GOOD, answers=_answers("not_a_leaf")), "not_a_leaf"),
        (0.1, replace(GOOD, answers=_answers("several_plants")), "several_plants"),
        (0.1, replace(GOOD, answers=_answers("cut_off")), "cut_off"),
        (0.1, replace(GOOD, answers=_answers("blurred", 0.7)), None),
        (0.1, replace(GOOD, answers=_answers("too_small")), "too_small"),
        (0.1, replace(GOOD, answers=_answers("too_small"), shorter_side=4000), None),
        (0.1, replace(GOOD, brightness=20, answers=_answers("blurred")), "too_dark"),
        (0.1, replace(GOOD, answers=None), None),
        (0.8, replace(GOOD, shorter_side=99, answers=_answers("blurred")), "too_small"),
    ],
)
def test_a_rejected_image_has_a_reason(
    ood_score: float | None, quality: ImageQuality | None, reason: str | None
) -> None:
    fitted = FittedOn(split="val", images=9, gatherings=9)
    info = _info(0.5).model_copy(
        update={
            "decision": Decision(min_probability=0.5, min_side=100, min_good=0.25),
            "ood_detector": OodDetector(
                score="nearest_neighbour", threshold=0.5, id_acceptance_rate=0.95, fitted_on=fitted
            ),
        }
    )
    identification = decide(np.array([0.1, 0.6, 0.3]), info, ood_score=ood_score, quality=quality)
    assert identification.reason == reason and identification.identified == (reason is None)
    assert identification.probability == 0.6


@pytest.mark.parametrize(
    ("ood_score", "answers", "reason"),
    [
        (1.4, _answers("not_a_leaf", 0.9), None),
        (1.4, _answers("not_a_leaf", 0.995), "not_a_leaf"),
        (1.6, _answers("not_a_leaf", 0.9), "not_a_leaf"),
        (1.4, _answers("several_plants", 0.9), "several_plants"),
        (1.4, _answers("cut_off", 0.9), "cut_off"),
        (None, _answers("not_a_leaf", 0.9), "not_a_leaf"),
    ],
)
def test_what_is_well_inside_the_known_taxa_is_a_leaf_where_the_gate_is_not_sure(
    ood_score: float | None, answers: dict[str, float], reason: str | None
) -> None:
    parts = (OodPart(score="mahalanobis", centre=0, scale=1),)
    fitted = FittedOn(split="val", images=9, gatherings=9)
    detector = OodDetector(score="combined", parts=parts, threshold=2, id_acceptance_rate=0.95, fitted_on=fitted)
    limits = Decision(min_probability=0.5, min_side=100, min_good=0.25)
    info = _info(0.5).model_copy(update={"decision": limits, "ood_detector": detector})
    found = decide(np.array([0.1, 0.6, 0.3]), info, ood_score=ood_score, quality=replace(GOOD, answers=answers))
    assert found.reason == reason


def test_thresholds_that_were_not_fitted_reject_nothing() -> None:
    poor = ImageQuality(shorter_side=1, brightness=200, answers=_answers("not_a_leaf"))
    assert decide(np.array([0.1, 0.6, 0.3]), _info(0.5), ood_score=9.0, quality=poor).identified


def test_the_prediction_set_lists_the_most_probable_taxon_first() -> None:
    info = _info_with_sets()
    assert decide(np.array([0.1, 0.6, 0.3]), info).prediction_set == (1, 2)
    assert decide(np.array([0.1, 0.6, 0.3]), _info(0.5)).prediction_set is None


def test_equal_probabilities_are_ordered_by_label() -> None:
    assert decide(np.array([0.2, 0.4, 0.4]), _info(0)).candidates == ((1, 0.4), (2, 0.4), (0, 0.2))


def test_a_restricted_question_is_answered_among_the_taxa_asked_for() -> None:
    answer = decide(np.array([0.5, 0.4, 0.1]), _info(0.7), asked={1, 2})
    assert answer.name == "b" and answer.probability == pytest.approx(0.8)
    assert [label for label, _ in answer.candidates] == [1, 2] and answer.excluded == ((0, 0.5),)


def test_a_plant_that_is_almost_certainly_left_out_gets_no_name() -> None:
    answer = decide(np.array([0.96, 0.04, 0.0]), _info(0.5), asked={1, 2})
    assert not answer.identified and answer.reason is UndeterminedReason.EXCLUDED_TAXON
    assert decide(np.array([0.94, 0.06, 0.0]), _info(0.5), asked={1, 2}).name == "b"


def test_the_prediction_set_of_a_restricted_question_is_the_part_asked_for_and_never_empty() -> None:
    info = _info_with_sets()
    row = np.array([0.1, 0.6, 0.3])
    assert decide(row, info).prediction_set == (1, 2)
    assert decide(row, info, asked={0, 2}).prediction_set == (2,)
    assert decide(row, info, asked={0}).prediction_set == (0,)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=5).filter(lambda row: sum(row) > 0), st.data())
def test_restricted_probabilities_sum_to_one_and_keep_their_order(row: list[float], data: st.DataObject) -> None:
    probabilities = np.array(row) / sum(row)
    asked = data.draw(st.sets(st.integers(0, len(row) - 1), min_size=1))
    names = [f"G s{number}" for number in range(len(row))]
    info = bundle_info(taxonomy=Taxonomy.from_names(names), min_probability=0.5)
    answer = decide(probabilities, info, asked=asked)
    assert {label for label, _ in answer.candidates} == asked
    assert sum(probability for _, probability in answer.candidates) == pytest.approx(1)
    among = [probabilities[label] for label, _ in answer.candidates]
    assert among == sorted(among, reverse=True)
