"""Leaf characters are measured, compared with the candidates only, and do not change the probabilities."""

from dataclasses import fields, replace
from datetime import date
from pathlib import Path

import pytest
from PIL import Image

from leafid.errors import FailureReason, ImageError, OutputError
from leafid.identify import Candidate, Identifier, Record, Status, identify_to_file, read_records, write_report
from leafid.identify.leaf_characters import CHARACTER_COLUMNS, character_values, measure_best_leaf
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
    names = {*CHARACTER_COLUMNS, "flora_sentence"}
    without: dict[str, None] = dict.fromkeys(names)
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
    sentence = character_values(measured, [Candidate("Mitragyna hirsuta", 0.1)])["flora_sentence"]
    assert "Mitragyna hirsuta" in sentence and TAXON not in sentence
    alone = character_values(measured, [Candidate("Rosa gallica", 0.9)])["flora_sentence"]
    assert "Mitragyna" not in alone and "pairs of secondary veins" in alone


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    measured = measure_best_leaf(tmp_path / "gone.jpg")
    assert isinstance(measured, ImageError) and measured.reason is FailureReason.MISSING
    assert character_values(measured, []) == {"flora_sentence": "No leaf was measured (missing)."}


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
