"""A review keeps every decision, continues where it ended, and makes files for the database and for training."""

import csv
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from leafid.errors import OutputError
from leafid.identify import Identifier, identify_to_file
from leafid.jobs import load_job
from leafid.serve.review.decisions import decisions_path, determination, open_decisions
from leafid.sources import collect
from tests.serve.running import LEAFID

KNOWN = ("Coffea canephora", "Mitragyna speciosa")


@pytest.fixture
def results(bundle: Path, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the results of three photos and a file that is none, with relative paths; change into their folder."""
    for photo in photos:
        (tmp_path / photo.name).write_bytes(photo.read_bytes())
    (tmp_path / "notes.png").write_text("no leaf")
    monkeypatch.chdir(tmp_path)
    paths = [photo.name for photo in photos] + ["notes.png"]
    identify_to_file(Identifier.load(bundle, cores=1), paths, Path("results.csv"))
    return Path("results.csv")


@contextmanager
def reviewing(results: Path) -> Iterator[httpx.Client]:
    command = [str(LEAFID), "review", str(results), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, "the review did not start"
        with httpx.Client(base_url=found[0], timeout=60, trust_env=False) as client:
            yield client
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        process.kill()


def decide(client: httpx.Client, number: int, name: str | None, remarks: str = "") -> httpx.Response:
    sent = {"scientific_name": name, "reviewer": "A. Botanist", "remarks": remarks}
    return client.post(f"/v1/review/records/{number}", json=sent)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_decisions_go_into_the_next_training(results: Path) -> None:
    with reviewing(results) as client:
        entries = client.get("/v1/review/records").json()
        assert [entry["record"]["path"] for entry in entries][-1] == "notes.png"
        assert decide(client, 0, entries[0]["record"]["scientific_name"]).json()["decision"] == "confirmed"
        corrected = decide(client, 1, "Mitragyna parvifolia (Roxb.) Korth.", "hairs below").json()
        assert (corrected["decision"], corrected["scientificName"]) == ("corrected", "Mitragyna parvifolia")
        assert decide(client, 2, None).json()["decision"] == "cannot_tell"
        assert client.get("/v1/review/records/0/photos/0").headers["Content-Type"] == "image/jpeg"
        assert client.get("/v1/review/records/3/photos/0").status_code == 404
        assert client.get("/v1/review/records/0/photos/7").status_code == 404
    kept = rows(Path("results.reviewed.csv"))
    assert [row["decision"] for row in kept] == ["confirmed", "corrected", "cannot_tell"]
    assert kept[1]["predictedName"] == "Mitragyna hirsuta" and kept[1]["identifiedBy"] == "A. Botanist"
    darwin_core = rows(Path("results.identifications.csv"))
    assert [row["scientificName"] for row in darwin_core] == ["Coffea canephora", "Mitragyna parvifolia"]
    assert {row["identificationVerificationStatus"] for row in darwin_core} == {"verified"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}[+-]\d\d:\d\d", darwin_core[0]["dateIdentified"])
    assert "hairs below" in darwin_core[1]["identificationRemarks"]
    Path("job.yaml").write_text("name: again\nsources:\n  - kind: table\n    path: results.training.csv\n")
    collect(load_job(Path("job.yaml")))
    catalog = rows(Path("data/again/catalog.csv"))
    assert sorted(row["scientificName"] for row in catalog) == ["Coffea canephora", "Mitragyna parvifolia"]


def test_a_review_continues_and_the_last_decision_counts(results: Path) -> None:
    with reviewing(results) as client:
        decide(client, 0, "Mitragyna hirsuta")
    with reviewing(results) as client:
        assert client.get("/v1/review/records").json()[0]["decision"]["scientificName"] == "Mitragyna hirsuta"
        decide(client, 0, "Coffea canephora")
        busy = subprocess.run(
            [str(LEAFID), "review", str(results), "--port", "0"], capture_output=True, text=True, check=False
        )
        assert busy.returncode == 2 and "open in another review" in busy.stderr
    assert len(rows(Path("results.reviewed.csv"))) == 2
    assert [row["scientificName"] for row in rows(Path("results.training.csv"))] == ["Coffea canephora"]


def test_the_page_decides_by_clicks(results: Path, browser: Chrome) -> None:
    with reviewing(results) as client:
        browser.get(str(client.base_url))
        buttons = "#candidates-buttons button"
        WebDriverWait(browser, 30).until(lambda _: browser.find_elements(By.CSS_SELECTOR, buttons))
        browser.find_element(By.CSS_SELECTOR, buttons).click()
        state = browser.find_element(By.ID, "state")
        assert "Write your name first" in state.text
        browser.find_element(By.ID, "reviewer").send_keys("A. Botanist")
        browser.find_element(By.CSS_SELECTOR, buttons).click()
        WebDriverWait(browser, 30).until(lambda _: state.text.startswith("Saved: Coffea canephora"))
        browser.find_element(By.ID, "name").send_keys("unknown thing 7\n")
        WebDriverWait(browser, 30).until(lambda _: state.text.startswith("Not saved"))
        browser.find_element(By.ID, "cannot-tell").click()
        WebDriverWait(browser, 30).until(lambda _: state.text.startswith("Saved: Cannot tell"))
        assert browser.find_element(By.ID, "progress").text == "2 of 4 reviewed"
        browser.get_log("browser")  # type: ignore[no-untyped-call] # the refused name, which the next test must not find
    assert [row["decision"] for row in rows(Path("results.reviewed.csv"))] == ["confirmed", "cannot_tell"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mitragyna SPECIOSA", "Mitragyna speciosa"),
        ("Mitragyna speciosa (Korth.) Havil.", "Mitragyna speciosa"),
        ("Uncaria tomentosa (Willd.) DC.", "Uncaria tomentosa"),
    ],
)
def test_names_are_read_without_author(text: str, name: str) -> None:
    assert determination(text, KNOWN) == name


@pytest.mark.parametrize("text", ["", "Mitragyna", "Mitragyna cf. speciosa", "leaf 3", "Mitragyna speciosa x hirsuta"])
def test_uncertain_names_are_no_determination(text: str) -> None:
    with pytest.raises(ValueError, match="not the name of a species"):
        determination(text, KNOWN)


def test_a_row_cut_by_a_crash_costs_only_itself(tmp_path: Path) -> None:
    path = decisions_path(tmp_path / "results.csv")
    with open_decisions(path):
        pass
    whole = "a.jpg,confirmed,Coffea canephora,A,2026-01-01T00:00:00+00:00,,Coffea canephora,0.9,b\n"
    path.write_text(path.read_text() + whole + "b.jpg,confirmed,Coff")
    with open_decisions(path) as decisions:
        assert list(decisions.latest) == ["a.jpg"]
    assert path.read_text().endswith("Coff\n")


def test_a_foreign_table_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "results.reviewed.csv"
    path.write_text("name,age\nA,3\n")
    with pytest.raises(OutputError, match="no file of decisions"), open_decisions(path):
        pass
    assert path.read_text() == "name,age\nA,3\n"
