"""Leaf characters are measured, compared with the candidates only, and do not change the probabilities."""

from dataclasses import fields, replace
from datetime import date
from pathlib import Path

import pytest
from PIL import Image

from leafid.characters import FULL_QUALITY, MeasuredImage, Measurement, NotMeasuredReason
from leafid.errors import FailureReason, ImageError, OutputError
from leafid.identify import Candidate, Identifier, Record, Status, identify_to_file, read_records, write_report
from leafid.identify.evidence.leaf_characters import CHARACTER_COLUMNS, clearest_leaf, leaf_fields, measure_best_leaf
from tests.characters.leaves import drawn_leaf, on_paper

TAXON = "Coffea canephora"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return a drawn leaf, an empty sheet and a file that is not an image."""
    folder = tmp_path_factory.mktemp("leaves")
    Image.fromarray(on_paper(drawn_leaf(TAXON, 6))).save(folder / "leaf.png")
    Image.new("RGB", (400, 500), (228, 224, 214)).save(folder / "blank.png")
    (folder / "broken.jpg").write_bytes(b"no image")
    return [folder / "leaf.png", folder / "blank.png", folder / "broken.jpg"]


def test_characters_do_not_change_the_result(identifier: Identifier, photos: list[Path]) -> None:
    plain = list(identifier.identify(photos))
    leaf, blank, broken = identifier.identify(photos, characters=True)
    names = {*CHARACTER_COLUMNS, "flora_sentence", "leaf_check"}
    without: dict[str, None] = dict.fromkeys([*names, "caution"])
    assert [replace(record, **without) for record in (leaf, blank, broken)] == plain  # type: ignore[arg-type]
    assert all(getattr(record, name) is None for record in plain for name in names)

    traits = drawn_leaf(TAXON, 6).traits
    assert leaf.secondary_vein_pairs == pytest.approx((traits.pairs_left + traits.pairs_right) / 2, abs=1)
    assert leaf.length_width_ratio == pytest.approx(traits.length_mm / traits.width_mm, rel=0.1)
    assert leaf.secondary_vein_angle_deg is not None and leaf.base_form and leaf.apex_form
    assert leaf.flora_sentence is not None and "pairs of secondary veins" in leaf.flora_sentence
    assert blank.secondary_vein_pairs is None and blank.flora_sentence == "No leaf was measured: no leaf was found."
    assert broken.status is Status.FAILED and broken.flora_sentence is None


def test_the_leaf_is_compared_with_the_candidates_only(photos: list[Path]) -> None:
    measured = measure_best_leaf(photos[0])
    sentence = leaf_fields(measured, [Candidate("Mitragyna hirsuta", 0.1)], None)[0]["flora_sentence"]
    assert "Mitragyna hirsuta" in sentence and TAXON not in sentence
    alone = leaf_fields(measured, [Candidate("Rosa gallica", 0.9)], "Rosa gallica")[0]["flora_sentence"]
    assert "Mitragyna" not in alone and "pairs of secondary veins" in alone


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    measured = measure_best_leaf(tmp_path / "gone.jpg")
    assert isinstance(measured, ImageError) and measured.reason is FailureReason.MISSING
    assert leaf_fields(measured, [], None) == ({"flora_sentence": "No leaf was measured (missing)."}, None)


def test_a_caution_says_that_the_leaf_excludes_the_name(photos: list[Path]) -> None:
    measured = measure_best_leaf(photos[0])
    fits, without = leaf_fields(measured, [Candidate(TAXON, 0.9)], TAXON)
    assert fits["leaf_check"] == "fits" and without is None
    # A leaf that clearly has twice as many veins as floras give.
    assert not isinstance(measured, ImageError)
    leaf = measured.leaves[0]
    many = replace(leaf.characters, secondary_vein_pairs=Measurement(40, 0.7, FULL_QUALITY))
    excluded, caution = leaf_fields(
        replace(measured, leaves=(replace(leaf, characters=many),)), [Candidate(TAXON, 0.9)], TAXON
    )
    assert excluded["leaf_check"] == "excludes"
    assert caution is not None and caution.startswith(f"The leaf excludes {TAXON}: 40 pairs of secondary veins")
    unclear = replace(leaf.characters, secondary_vein_pairs=Measurement(40, 0.7, FULL_QUALITY - 0.1))
    seen, silent = leaf_fields(
        replace(measured, leaves=(replace(leaf, characters=unclear),)), [Candidate(TAXON, 0.9)], TAXON
    )
    assert seen["leaf_check"] == "fits" and silent is None
    assert "leaf_check" not in leaf_fields(measured, [Candidate("Rosa gallica", 0.9)], "Rosa gallica")[0]


@pytest.mark.parametrize(
    ("reason", "words"), [("no_leaf", "found no leaf"), ("overlapped", "lie over one another"), ("folded", None)]
)
def test_a_caution_says_that_no_leaf_supports_the_name(reason: str, words: str | None) -> None:
    fields, caution = leaf_fields(MeasuredImage((), NotMeasuredReason(reason)), [Candidate(TAXON, 0.9)], TAXON)
    assert (caution is None) is (words is None) and (words or "") in (caution or "")
    assert fields.get("leaf_check") == (reason if words else None)


def test_the_caution_is_in_the_record_of_a_name_only(identifier: Identifier, photos: list[Path]) -> None:
    _, blank = identifier.identify(photos[:2], characters=True)
    assert blank.leaf_check == "no_leaf"
    found_none = "The leaf parser found no leaf" in (blank.caution or "")
    assert found_none is (blank.status is Status.IDENTIFIED)


def test_the_clearest_leaf_of_a_plant_is_compared(photos: list[Path]) -> None:
    leaf, blank = measure_best_leaf(photos[0]), measure_best_leaf(photos[1])
    assert clearest_leaf([blank, leaf, leaf]) == 1
    assert clearest_leaf([blank, ImageError(FailureReason.MISSING, "gone"), None]) == 0


def test_all_records_of_a_result_have_characters_or_none(
    identifier: Identifier, photos: list[Path], tmp_path: Path
) -> None:
    for name, begun, message in [
        ("with.csv", True, "Add --characters"),
        ("plain.csv", False, "Leave out --characters"),
    ]:
        output = tmp_path / name
        identify_to_file(identifier, photos[:1], output, characters=begun)
        with pytest.raises(OutputError, match=message):
            identify_to_file(identifier, photos, output, characters=not begun, existing="resume")
        identify_to_file(identifier, photos, output, characters=begun, existing="resume")
        measured = [record.flora_sentence is not None for record in read_records(output)]
        assert measured == [begun, begun, False]  # the last cannot be read


def test_the_characters_are_fields_of_a_record() -> None:
    assert len(CHARACTER_COLUMNS) == 5
    assert {*CHARACTER_COLUMNS, "flora_sentence"} < {field.name for field in fields(Record)}


def test_the_report_draws_the_leaf_that_was_measured(
    identifier: Identifier, photos: list[Path], tmp_path: Path
) -> None:
    for characters, pictures in ((False, 2), (True, 3)):  # two thumbnails, and the leaf
        records = list(identifier.identify(photos, characters=characters))
        page = tmp_path / f"{pictures}.html"
        write_report(records, page, identifier.info, on=date(2026, 3, 1))
        assert page.read_text().count("data:image/jpeg;base64,") == pictures
