"""Attribution, citation and data card are complete and contain no places or collectors."""

import csv
from pathlib import Path

from leafid.sources import collect
from tests.sources.public_services import KEYS, Services, job_of, record
from tests.sources.web_server import WebServer

SECRETS = ("Ridsdale", "Secret grove", "5.25", "decimalLatitude")


def collected(tmp_path: Path) -> Path:
    services = Services()
    with WebServer(services) as server:
        records = [record(number, server.url) for number in range(1, 8)]
        records[0]["rightsHolder"] = "Holder | of <b>pipes</b>"
        records[0]["media"][0]["rightsHolder"] = None
        records[1]["catalogNumber"] = "=HYPERLINK(1)"
        records[2]["institutionCode"] = None
        services.records = {KEYS["Mitragyna speciosa"]: records}
        collect(job_of(server.url, tmp_path))
    return tmp_path


def test_every_image_is_attributed(tmp_path: Path) -> None:
    folder = collected(tmp_path)
    with (folder / "ATTRIBUTION.csv").open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == 7
    assert (rows[3]["institutionCode"], rows[3]["catalogNumber"], rows[3]["license"]) == ("E", "BAR000004", "CC-BY-4.0")
    assert rows[3]["rightsHolder"] == "Herbarium of Somewhere"
    assert rows[3]["references"] == "https://www.gbif.org/occurrence/4"
    assert rows[2]["institutionCode"] == ""
    assert rows[1]["catalogNumber"] == "'=HYPERLINK(1)"  # a spreadsheet would run it
    text = (folder / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert "| L | Herbarium of Somewhere | CC-BY-4.0 | 1 |" in text
    assert "| E | Holder \\| of &lt;b>pipes&lt;/b> | CC-BY-4.0 | 1 |" in text
    assert "(not stated)" in text
    assert "nan" not in text.lower().replace("attribution", "")
    assert "None" not in text


def test_a_search_is_cited_as_a_derived_dataset(tmp_path: Path) -> None:
    text = (collected(tmp_path) / "CITATION.md").read_text(encoding="utf-8")
    assert "derived-dataset/register" in text
    assert "| dataset-1 | 3 |" in text
    assert "| dataset-0 | 2 |" in text


def test_the_data_card_counts_and_names_no_places_or_people(tmp_path: Path) -> None:
    folder = collected(tmp_path)
    card = (folder / "DATA_CARD.md").read_text(encoding="utf-8")
    assert "7 images" in card
    assert "| Mitragyna speciosa | 7 |" in card
    assert "| 1970s | 7 |" in card
    assert "| CC-BY-4.0 | 7 |" in card
    assert "alkaloid" in card
    for name in ("DATA_CARD.md", "ATTRIBUTION.md", "ATTRIBUTION.csv", "CITATION.md"):
        text = (folder / name).read_text(encoding="utf-8")
        assert not [secret for secret in SECRETS if secret in text], name
