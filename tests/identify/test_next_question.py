"""The next question separates the taxa that cannot be excluded, asks nothing that the photo shows, and cites floras."""

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from leafid.characters import FULL_QUALITY, Measurement, flora_ranges
from leafid.errors import OutputError, UsageError
from leafid.identify import (
    Candidate,
    Identifier,
    LookedUpCharacter,
    Plant,
    Record,
    Status,
    identify_to_file,
    judge,
    looked_up_character,
    looked_up_characters,
    next_questions,
    open_taxa,
    questions_in,
    read_records,
    taxa_left,
    write_darwin_core,
    write_report,
)
from leafid.identify.evidence.leaf_characters import measure_best_leaf
from leafid.identify.next_question.choice import expected_gain
from leafid.identify.next_question.flora_states import read_characters
from leafid.identify.next_question.in_records import question_text, shown_by
from leafid.identify.resume import check_resumable
from leafid.shipped import shipped
from tests.characters.leaves import drawn_leaf, on_paper
from tests.identify.small_bundle import bundle_info

SPECIOSA, HIRSUTA, DIVERSIFOLIA = "Mitragyna speciosa", "Mitragyna hirsuta", "Mitragyna diversifolia"
CADAMBA, COFFEA, TUBULOSA = "Neolamarckia cadamba", "Coffea canephora", "Mitragyna tubulosa"
TAXA = [SPECIOSA, HIRSUTA, DIVERSIFOLIA, CADAMBA, COFFEA, TUBULOSA, "Haldina cordifolia", "Rosa gallica"]
CHARACTERS = list(looked_up_characters().values())

priors = st.dictionaries(st.sampled_from(TAXA), st.floats(1e-4, 1), min_size=1, max_size=6)
characters = st.sampled_from(CHARACTERS)


def names(questions: Sequence[LookedUpCharacter]) -> list[str]:
    return [one.name for one in questions]


def test_floras_tell_what_an_observation_leaves() -> None:
    found = judge(looked_up_character("domatia"), "absent", [SPECIOSA, CADAMBA, COFFEA])
    assert found.left == (CADAMBA, COFFEA) and found.unknown == (COFFEA,)
    (said,) = found.against[SPECIOSA]
    assert (said.words, said.source) == ("pale-hairy domatia", "e-Flora of Thailand 07816")
    dense = judge(looked_up_character("hairs_below"), "dense", [SPECIOSA, HIRSUTA, TUBULOSA])
    assert dense.left == (HIRSUTA, TUBULOSA)  # sources on the latter conflict, so that nothing speaks against it
    with pytest.raises(UsageError, match="no state 'blue'; its states are glabrous, sparse, dense"):
        judge(looked_up_character("hairs_below"), "blue", [SPECIOSA])
    with pytest.raises(UsageError, match="no character 'colour'"):
        taxa_left({"colour": "red"}, [SPECIOSA])


def test_numbers_come_from_the_ranges_with_their_extremes() -> None:
    petiole, pairs = looked_up_character("petiole_length"), looked_up_character("vein_pairs")
    assert petiole.possible(SPECIOSA) == {"from_1_to_2_cm", "from_2_to_3_cm", "from_3_to_5_cm"}  # (1-)2.5-5
    assert petiole.possible(COFFEA) == {"from_1_to_2_cm"}  # touching 2-3 is not enough
    assert petiole.descriptions[SPECIOSA][0].words == "2.5-5, extremes 1-5 cm"
    assert pairs.possible(SPECIOSA) == {"from_8_to_10", "from_11_to_12", "over_12"}  # (8-)11-17
    assert pairs.possible(DIVERSIFOLIA) == {"to_7", "from_8_to_10"}
    for character in (petiole, pairs):
        known = {
            one.taxon: one.numbers[str(character.number)] for one in flora_ranges() if character.number in one.numbers
        }
        assert set(character.descriptions) == set(known)
        for taxon, range_ in known.items():
            for state in character.states:
                inside = [range_.lowest + share * (range_.highest - range_.lowest) for share in np.linspace(0, 1, 999)]
                overlaps = any(state.above < value < state.below for value in inside)
                assert (state.name in character.possible(taxon)) == overlaps, (taxon, state)


def test_every_description_has_a_source_and_every_state_words() -> None:
    for character in CHARACTERS:
        assert all(each.source and each.words for said in character.descriptions.values() for each in said)
        assert all(state.words and state.drawing for state in character.states)
        assert character.question.endswith("?") and character.where
        assert character.descriptions, f"{character.name}: a character that no source gives is not asked"


def test_mistakes_in_the_tables_are_listed_together(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("questions.csv", "states.csv", "characters.csv")]
    for path, name in zip(paths, ("questions", "states", "characters"), strict=True):
        path.write_bytes(shipped(f"data/identification_{name}.csv").read_bytes())
    with paths[2].open("a", encoding="utf-8") as opened:
        opened.write("domatia,Rosa gallica,absent;blue,none,\npetiole_length,Rosa gallica,over_5_cm,long,a flora\n")
        opened.write("scent,Rosa gallica,sweet,sweet,a flora\n")
    with pytest.raises(UsageError) as caught:
        read_characters(paths[0], paths[1], paths[2], flora_ranges())
    message = str(caught.value)
    assert "domatia of Rosa gallica: no states of this character: blue" in message
    assert "domatia of Rosa gallica: has no source" in message
    assert "petiole_length is a number" in message and "scent is missing" in message


@given(priors, characters)
def test_the_gain_is_positive_exactly_if_a_state_separates(
    prior: dict[str, float], character: LookedUpCharacter
) -> None:
    gain = expected_gain([character], prior)
    separates = any(0 < len(judge(character, state.name, prior).left) < len(prior) for state in character.states)
    assert (gain > 1e-9) == separates
    shares = np.array(list(prior.values())) / sum(prior.values())
    assert gain <= -np.sum(shares * np.log2(shares)) + 1e-9  # never more than is unknown


@given(priors, characters, characters)
def test_a_second_character_never_takes_information_away(
    prior: dict[str, float], one: LookedUpCharacter, other: LookedUpCharacter
) -> None:
    both = expected_gain([one, other], prior)
    assert both >= expected_gain([one], prior) - 1e-9
    assert both == pytest.approx(expected_gain([other, one], prior), abs=1e-9)


@given(
    priors,
    st.sets(characters.map(lambda one: one.name)),
    st.sets(st.sampled_from(["petiole_cm", "secondary_vein_pairs"])),
)
def test_the_best_character_is_asked_and_nothing_twice(
    prior: dict[str, float], asked: set[str], shown: set[str]
) -> None:
    questions = next_questions(prior, asked=asked, shown=shown)
    assert len(questions) <= 2 and not asked & set(names(questions)) and not shown & {one.number for one in questions}
    assert len({one.organ for one in questions}) == len(questions)
    possible = [one for one in CHARACTERS if one.name not in asked and one.number not in shown]
    best = max((expected_gain([one], prior) for one in possible), default=0)
    assert bool(questions) == (best > 1e-6)
    if questions:
        assert expected_gain(questions[:1], prior) == pytest.approx(best)


@given(priors, st.dictionaries(st.sampled_from(list(looked_up_characters())), st.integers(0, 4)))
def test_observations_leave_the_same_taxa_in_any_order(prior: dict[str, float], drawn: dict[str, int]) -> None:
    states = {name: looked_up_character(name).states for name in drawn}
    observed = {name: states[name][number % len(states[name])].name for name, number in drawn.items()}
    left = taxa_left(observed, prior)
    assert left == taxa_left(dict(reversed(observed.items())), prior)
    assert all(observed[name] in looked_up_character(name).possible(taxon) for name in observed for taxon in left)
    assert ("Rosa gallica" in left) == ("Rosa gallica" in prior)  # no source, so nothing speaks against it


def test_nothing_is_asked_where_nothing_would_be_excluded() -> None:
    assert next_questions({}) == next_questions({SPECIOSA: 1.0}) == ()
    assert next_questions({"Rosa gallica": 0.5, "Rosa arvensis": 0.5}) == ()
    assert next_questions({SPECIOSA: 0.5, HIRSUTA: 0.0})  # a probability that was rounded to 0


def test_taxa_of_a_question_are_those_that_cannot_be_excluded() -> None:
    candidates = [Candidate(SPECIOSA, 0.7), Candidate(HIRSUTA, 0.2), Candidate(COFFEA, 0.06), Candidate(CADAMBA, 0.04)]
    assert open_taxa(Status.IDENTIFIED, None, candidates, candidates[:2]) == {SPECIOSA: 0.7, HIRSUTA: 0.2}
    assert list(open_taxa(Status.UNDETERMINED, "ambiguous", candidates, ())) == [SPECIOSA, HIRSUTA, COFFEA]
    assert open_taxa(Status.UNDETERMINED, "unknown_taxon", candidates, candidates) == {}
    assert open_taxa(Status.FAILED, "missing", (), ()) == {}


def test_a_clear_count_is_not_asked_and_an_unclear_one_is(tmp_path: Path) -> None:
    Image.fromarray(on_paper(drawn_leaf(COFFEA, 6))).save(tmp_path / "leaf.png")
    measured = measure_best_leaf(tmp_path / "leaf.png")
    leaf = measured.leaves[0]  # type: ignore[union-attr]
    for quality, clear in ((FULL_QUALITY, True), (FULL_QUALITY - 0.01, False)):
        counted = replace(leaf.characters, secondary_vein_pairs=Measurement(12, 0.5, quality))
        shown = shown_by(replace(measured, leaves=(replace(leaf, characters=counted),)))  # type: ignore[type-var]
        assert ("secondary_vein_pairs" in shown) == clear
    taxa = {"Mitragyna rotundifolia": 0.5, TUBULOSA: 0.5}
    assert "vein_pairs" in names(next_questions(taxa)) and shown_by(None) == frozenset()
    assert "vein_pairs" not in names(next_questions(taxa, shown={"secondary_vein_pairs"}))


@given(priors)
def test_the_text_of_a_record_tells_its_questions(prior: dict[str, float]) -> None:
    assert questions_in(question_text(prior, frozenset())) == next_questions(prior)


def test_ask_changes_one_field_only(identifier: Identifier, photos: list[Path], tmp_path: Path) -> None:
    loose = replace(identifier, info=bundle_info(taxonomy=identifier.info.taxonomy, min_probability=0.99999))
    plain, asked = (list(loose.identify(photos[:6], ask=ask)) for ask in (False, True))
    assert [replace(record, next_question=None) for record in asked] == plain
    for record in asked:
        taxa = open_taxa(record.status, record.reason, record.candidates, record.prediction_set)
        assert record.next_question == question_text(taxa, frozenset())
    mixed = list(loose.identify_plants([Plant("one", tuple(photos[:3]))], ask=True))
    assert mixed[0].next_question and "leaves" in mixed[0].next_question


RECORD = Record(
    path="a.png",
    status=Status.IDENTIFIED,
    scientific_name=SPECIOSA,
    taxon_rank="species",
    probability=0.6,
    prediction_set=(Candidate(SPECIOSA, 0.6), Candidate(HIRSUTA, 0.4)),
    next_question=question_text({SPECIOSA: 0.6, HIRSUTA: 0.4}, frozenset()),
    bundle="b@1-2",
    leafid_version="1",
)


def test_report_and_darwin_core_carry_the_question(identifier: Identifier, tmp_path: Path) -> None:
    text = str(RECORD.next_question)
    assert re.search(r"stipule_form: .*\(leaves Mitragyna speciosa\).*\(leaves Mitragyna hirsuta\)", text)
    write_report([RECORD], tmp_path / "report.html", identifier.info, on=date(2026, 3, 1))
    assert "stipule_form: What form do the stipules have?" in (tmp_path / "report.html").read_text(encoding="utf-8")
    write_darwin_core([RECORD], tmp_path / "dwc.csv", identifier.info.taxonomy)
    with (tmp_path / "dwc.csv").open(encoding="utf-8", newline="") as opened:
        (row,) = csv.DictReader(opened)
    assert f"to be looked up: {text.removesuffix('.')}" in row["identificationRemarks"]


def test_a_result_with_questions_is_continued_with_questions(
    identifier: Identifier, photos: list[Path], tmp_path: Path
) -> None:
    output = tmp_path / "results.csv"
    identify_to_file(identifier, photos[:1], output)
    (record,) = read_records(output)
    with pytest.raises(OutputError, match="names characters to look up"):
        check_resumable(replace(record, next_question="domatia: ?"), identifier, {}, location="results.csv, record 1")
    check_resumable(replace(record, next_question="domatia: ?"), identifier, {"ask": True}, location="")
