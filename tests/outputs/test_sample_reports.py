"""The report of a sample has what an expert signs for, prints on A4, and never shows another picture than the named."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from leafid.errors import InstallationError, OutputError, UsageError
from leafid.identify import (
    DerivedOutputs,
    Record,
    SampleReportSettings,
    Status,
    sample_reports_destination,
    write_sample_reports,
)
from leafid.identify.inputs.given_columns import GivenColumns
from leafid.identify.records import PlantPhoto
from leafid.images import image_sha256
from tests.outputs.records import HIRSUTA, SPECIOSA, given, made, small_info

INFO = small_info()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Return a photo."""
    path = tmp_path / "leaf & <twig>.jpg"
    Image.new("RGB", (60, 40), (60, 170, 70)).save(path)
    return path


def _record(photo: Path, **more: Any) -> Record:  # noqa: ANN401 -- fields of a record
    values: dict[str, Any] = {"file_sha256": image_sha256(photo), "given": given(number="2026/7", site="Krabi")}
    return replace(made(str(photo)), **values | more)


def _pages(folder: Path) -> dict[str, str]:
    return {page.name: page.read_text(encoding="utf-8") for page in sorted(folder.glob("*.html"))}


def _write(folder: Path, *records: Record, **settings: str) -> dict[str, str]:
    write_sample_reports(lambda: records, SampleReportSettings(folder, **settings), INFO)
    return _pages(folder)


def _columns(**values: str) -> GivenColumns:
    columns = GivenColumns()
    columns.add(0, values)
    return columns


def _words(page: str) -> str:
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL).split())


def test_a_report_has_all_that_is_signed_for(photo: Path, tmp_path: Path) -> None:
    record = _record(
        photo,
        prediction_set=(SPECIOSA, HIRSUTA),
        caution="Few gatherings.",
        apex_form="acuminate",
        flora_sentence="13 pairs fit.",
        engine="onnx",
        photo_taken="2025-03-01T09:10:11+07:00",
    )
    pages = _write(tmp_path / "reports", record, column="number", operator="M. Example")
    assert list(pages) == ["2026_7.html"]
    page = pages["2026_7.html"]
    words = _words(page)
    for expected in (
        "Sample 2026/7",
        "Operator M. Example",
        "2026-03-01 12:00:00 UTC+07:00",
        f"Bundle {INFO.identifier}, 2 taxa",
        "leafid 9.9, engine onnx",
        "site Krabi",
        f"SHA-256 of the file {record.file_sha256}",
        "Mitragyna speciosa , probability 62.0 %",
        "Candidates Mitragyna speciosa 62.0 % Mitragyna hirsuta 31.0 %",
        "Cannot be excluded Mitragyna speciosa, Mitragyna hirsuta",
        "Few gatherings.",
        "Form of the apex acuminate",
        "Compared with floras 13 pairs fit.",
        "Operator: name, date, signature Reviewed by: name, date, signature",
        *INFO.trained_on.long,
    ):
        assert expected in words, expected
    assert page.count("data:image/jpeg;base64,") == 1 and "size: A4" in page
    assert "leaf &amp; &lt;twig&gt;.jpg" in page and "<twig>" not in page
    assert not [word for word in ('src="http', 'href="http', "@import", "<script") if word in page]


def test_photos_of_one_number_are_one_report_and_without_a_column_each_is_its_own(photo: Path, tmp_path: Path) -> None:
    other = photo.with_name("second.jpg")
    shutil.copyfile(photo, other)
    records = [_record(photo), _record(other, given=given(number="8", site=None)), _record(other)]
    grouped = _write(tmp_path / "grouped", *records, column="number")
    assert list(grouped) == ["2026_7.html", "8.html"]
    assert grouped["2026_7.html"].count("data:image/jpeg") == 2 and "Each of the 2 results" in grouped["2026_7.html"]
    alone = _write(tmp_path / "alone", *records)
    assert list(alone) == ["leaf_twig_.jpg.html", "second.jpg.html", "second.jpg_2.html"]


def test_a_file_that_changed_is_not_shown_as_the_one_identified(photo: Path, tmp_path: Path) -> None:
    record = _record(photo)
    Image.new("RGB", (60, 40), (200, 0, 0)).save(photo)
    (page,) = _write(tmp_path / "reports", record).values()
    assert "has changed since it was identified" in page and "data:image/jpeg" not in page
    photo.unlink()
    failed = Record(path="x.jpg", status=Status.FAILED, reason="not_an_image: text", bundle="b", leafid_version="1")
    pages = _write(tmp_path / "others", record, replace(record, path="https://example.org/a.jpg"), failed)
    assert [page.count("data:image/jpeg") for page in pages.values()] == [0, 0, 0]
    assert "failed: not an image: text" in pages["x.jpg.html"]
    assert "it is not fetched again" in pages["a.jpg.html"]


def test_a_plant_lists_its_photos_with_their_hashes(photo: Path, tmp_path: Path) -> None:
    photos = (PlantPhoto(str(photo), None, "Mitragyna speciosa", 0.9, "ab" * 32), PlantPhoto("b.jpg", "too_blurred"))
    (page,) = _write(tmp_path / "reports", _record(photo, plant="tree 7", photos=photos), column="number").values()
    words = _words(page)
    assert "tree 7: one answer from 1 of 2 photos" in words and f"SHA-256 {'ab' * 32}" in words
    assert "Photo 2, left out b.jpg (too blurred) SHA-256 not known" in words


@pytest.mark.parametrize(
    "number",
    [
        'a"; } </style><script>alert(1)</script>',
        "../../etc/passwd",
        "CON",
        ".",
        "x" * 300,
        "\u53f6/7",
        "a\nb",
        "\u53f6" * 100,
    ],
)
def test_numbers_never_lead_out_of_the_folder_or_the_page(photo: Path, tmp_path: Path, number: str) -> None:
    pages = _write(tmp_path / "reports", _record(photo, given=given(number=number)), column="number")
    ((name, page),) = pages.items()
    assert [path.name for path in (tmp_path / "reports").iterdir()] == [name] and len(name.encode()) <= 126
    assert "<script" not in page and page.count("</style>") == 1 and name.casefold() != "con.html"


def test_equal_names_have_files_of_their_own_and_one_number_in_two_unicode_forms_is_one_sample(
    photo: Path, tmp_path: Path
) -> None:
    numbers = ("T1", "t1", "T1_2", "T/1", "t 1", "Bl\u00e4tter", "Bla\u0308tter")
    records = [_record(photo, given=given(number=number)) for number in numbers]
    pages = _write(tmp_path / "reports", *records, column="number")
    assert sorted(name.casefold() for name in pages) == sorted(
        ["t1.html", "t1_2.html", "t1_2_2.html", "t_1.html", "t_1_2.html", "bl\u00e4tter.html"]
    )
    assert "2 of 2" in pages["Bl\u00e4tter.html"]


def test_a_plant_without_a_number_has_its_own_name(photo: Path, tmp_path: Path) -> None:
    record = _record(photo, plant="../tree\n7", photos=(PlantPhoto(str(photo)),))
    assert list(_write(tmp_path / "reports", record)) == ["tree_7.html"]


def test_probabilities_are_never_rounded_to_certainty(photo: Path, tmp_path: Path) -> None:
    (page,) = _write(tmp_path / "reports", _record(photo, probability=0.99999)).values()
    assert "probability &gt; 99.9 %" in page


def test_a_sample_without_a_number_is_told_before_anything_is_written(photo: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--sample-column number: .* has no value there"):
        _write(tmp_path / "reports", _record(photo), _record(photo, given=given(number=None)), column="number")
    assert not (tmp_path / "reports").exists()


def test_options_that_do_not_fit_are_refused_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="--operator belongs to the reports of samples"):
        DerivedOutputs(operator="M. Example").destinations()
    with pytest.raises(UsageError, match=r"no such column\. They have: a, b"):
        DerivedOutputs(sample_reports=tmp_path, sample_column="number").check_images(["1.jpg"], _columns(a="1", b="2"))
    numbered = DerivedOutputs(sample_reports=tmp_path, sample_column="number")
    numbered.check_images(["1.jpg"], _columns(number="1"))
    numbered.check_images(["1.jpg", "2.jpg"], _columns(number="1"), plants_alone=True)
    with pytest.raises(UsageError, match=r"--sample-column number: 2\.jpg has no value there"):
        numbered.check_images(["1.jpg", "2.jpg"], _columns(number="1"))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(InstallationError, match="Chromium or Chrome, and none is found"):
        DerivedOutputs(sample_reports=tmp_path, pdf=True).destinations()


def test_only_a_folder_of_sample_reports_is_replaced(photo: Path, tmp_path: Path) -> None:
    _write(tmp_path / "reports", _record(photo))
    destination = sample_reports_destination(tmp_path / "reports")
    assert destination.is_own(tmp_path / "reports")
    (tmp_path / "reports" / "mine.html").write_text("<p>mine</p>")
    assert not destination.is_own(tmp_path / "reports")


def test_a_report_is_printed_to_pdf_on_a4(photo: Path, tmp_path: Path) -> None:
    chromium = next((found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None)
    if chromium is None:
        pytest.skip("needs Chromium")
    _write(tmp_path / "reports", _record(photo), column="number", chromium=chromium)
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == ["2026_7.html", "2026_7.pdf"]
    content = (tmp_path / "reports" / "2026_7.pdf").read_bytes()
    width, height = map(float, re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", content)[0])
    assert content.startswith(b"%PDF") and (round(width), round(height)) == (595, 842)


def test_a_browser_that_fails_is_told_and_leaves_no_file(photo: Path, tmp_path: Path) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho no display >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(OutputError, match=r"cannot be printed by .*: no display"):
        _write(tmp_path / "reports", _record(photo), column="number", chromium=str(broken))
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["2026_7.html"]
