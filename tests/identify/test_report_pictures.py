"""Heat maps and specimen comparisons in the report are folded and built when they are opened."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from leafid.identify import Identifier, Record, Status, write_report
from tests.identify.small_bundle import COLOURS, coloured, leaf
from tests.identify.test_report import browser
from tests.identify.test_specimens import cited_run, run_folder

__all__ = ["browser", "cited_run", "run_folder"]


def _records(identifier: Identifier, folder: Path) -> list[Record]:
    """Return records of two leaves, an undetermined one, one from the web, and one whose file is missing."""
    for number, name in enumerate(list(COLOURS)[:2]):
        leaf(name, 900 + number).save(folder / f"{number}.png")
    coloured((120, 120, 120), 7).save(folder / "between.png")
    found = list(identifier.identify([folder / "0.png", folder / "1.png", folder / "between.png"]))
    found[2] = replace(found[2], status=Status.UNDETERMINED, scientific_name=None, reason="below_threshold")
    web = replace(found[0], path="https://example.org/leaf.jpg", photo_taken="2024-03-17T08:09:10+07:00", camera="<b>X")
    return [*found, web, replace(found[1], path=str(folder / "gone.png"))]


def _four(found: list[WebElement]) -> list[WebElement]:
    """Return an empty list until there are four: a fold is built a moment after it was opened."""
    return found if len(found) == 4 else []


def test_heat_maps_and_specimens_are_shown_on_request(browser: Chrome, cited_run: Path, tmp_path: Path) -> None:
    identifier = Identifier.load(cited_run, device="cpu", references=2)
    page = tmp_path / "report.html"
    records = _records(identifier, tmp_path)
    write_report(records, page, identifier.info, on=date(2026, 3, 1), bundle=cited_run, heat_maps="all", device="cpu")
    browser.get_log("browser")  # type: ignore[no-untyped-call]
    browser.get(page.as_uri())
    lines = browser.find_elements(By.CSS_SELECTOR, "#records tbody tr")
    titles = [[one.text for one in line.find_elements(By.TAG_NAME, "summary")] for line in lines]
    heat, comparison = "heat maps", "compare with specimens"
    assert titles == [[heat, comparison]] * 3 + [[comparison]] * 2
    assert not lines[0].find_elements(By.CSS_SELECTOR, "details img")
    for summary in lines[0].find_elements(By.TAG_NAME, "summary"):
        summary.click()
    sides = WebDriverWait(browser, 20).until(lambda _: _four(lines[0].find_elements(By.CSS_SELECTOR, ".pair > div")))
    names = [one.scientific_name for one in records[0].candidates[:2]]
    assert [side.find_element(By.TAG_NAME, "i").text for side in sides] == names * 2
    figures = [side.find_elements(By.TAG_NAME, "figure") for side in sides[2:]]
    assert [len(one) for one in figures] == [2, 2]
    assert all("K K0" in figure.text and "similarity" in figure.text for both in figures for figure in both)
    pictures = lines[0].find_elements(By.CSS_SELECTOR, "details img")
    shown = sum(one.image_id.startswith("v") for one in records[0].specimens if one.scientific_name in names)
    assert len(pictures) == 2 + shown and shown > 0
    loaded = "return arguments[0].every(one => one.complete && one.naturalWidth > 10)"
    WebDriverWait(browser, 20).until(lambda _: browser.execute_script(loaded, pictures))
    assert lines[3].find_element(By.TAG_NAME, "a").get_attribute("href") == "https://example.org/leaf.jpg"
    assert "2024-03-17 08:09:10+07:00, <b>X" in lines[3].text
    assert not browser.get_log("browser")  # type: ignore[no-untyped-call]


def test_heat_maps_of_undetermined_images_only_and_none_without_the_option(cited_run: Path, tmp_path: Path) -> None:
    identifier = Identifier.load(cited_run, device="cpu")
    records = _records(identifier, tmp_path)
    page = tmp_path / "report.html"
    write_report(records, page, identifier.info, on=date(2026, 3, 1), bundle=cited_run, heat_maps="undetermined")
    assert page.read_text(encoding="utf-8").count('"picture": "data:') == 2
    write_report(records, page, identifier.info, on=date(2026, 3, 1), bundle=cited_run)
    assert '"picture": "data:' not in page.read_text(encoding="utf-8")
