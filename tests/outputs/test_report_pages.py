"""The report is printed whole, fits a phone, and its text has enough contrast."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from leafid.identify import SampleReportSettings, write_report, write_sample_reports
from tests.browser import headless_chromium
from tests.outputs.records import HIRSUTA, SPECIOSA, given, made, small_info

ROWS = 130

CONTRASTS = """
const luminance = rgb => rgb.map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const numbers = text => text.match(/[\\d.]+/g).map(Number);
const background = element => {
  for (; element; element = element.parentElement) {
    const found = numbers(getComputedStyle(element).backgroundColor);
    if (found.length < 4 || found[3] > 0) return found.slice(0, 3);
  }
  return [255, 255, 255];
};
const found = {};
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  if (!own || !element.checkVisibility() || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName)) continue;
  const [one, other] = [numbers(getComputedStyle(element).color).slice(0, 3), background(element)].map(luminance);
  found[element.tagName + "." + element.className] = (Math.max(one, other) + .05) / (Math.min(one, other) + .05);
}
return found;
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """Return headless Chromium."""
    with headless_chromium("--disable-background-networking") as started:
        yield started


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a report with long names, cautions, given columns and every status."""
    records = [
        made(
            f"{'a_long_name_without_a_space_' * 3}{number}.jpg",
            None if number % 3 == 1 else "Mitragyna speciosa",
            reason="below_threshold" if number % 3 == 1 else None,
            prediction_set=(SPECIOSA, HIRSUTA),
            target_probability=0.62,
            caution="The bundle was trained on 3 gatherings of Mitragyna speciosa only." if number % 3 == 2 else None,
            flora_sentence="13 pairs of secondary veins, within the range of Mitragyna speciosa.",
            given=given(catalogNumber=f"L.{number}", occurrenceID=f"urn:catalog:L:{'0' * 30}{number}"),
        )
        for number in range(ROWS)
    ]
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(records, path, small_info(), on=date(2026, 3, 1))
    return path


def _rows(browser: Chrome) -> int:
    return len(browser.find_elements(By.CSS_SELECTOR, "#records tbody tr"))


def _size(browser: Chrome, width: int, height: int = 900) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def _too_wide(browser: Chrome) -> int:
    """Return by how many pixels the page is wider than the window."""
    return int(browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth"))


def test_all_rows_are_printed_as_they_are_filtered(browser: Chrome, page: Path) -> None:
    browser.get(page.as_uri())
    assert _rows(browser) < ROWS, "else this test shows nothing"
    browser.execute_cdp_cmd("Page.printToPDF", {})
    assert _rows(browser) == ROWS
    browser.find_element(By.ID, "filter").send_keys("l.12")
    browser.execute_cdp_cmd("Page.printToPDF", {})
    assert _rows(browser) == 11, "the filter finds given columns too: L.12 and L.120 to L.129"


def test_no_column_is_cut_off_on_paper(browser: Chrome, page: Path) -> None:
    browser.get(page.as_uri())
    _size(browser, 1032)  # A4 landscape without margins: 273 mm at 96 dots per inch
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert _too_wide(browser) <= 0
        cells = browser.find_elements(By.CSS_SELECTOR, "#records thead th, #records tbody tr:first-child td")
        assert max(cell.rect["x"] + cell.rect["width"] for cell in cells) <= 1032
        assert (
            browser.execute_script("return getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
        )
        assert not browser.find_element(By.ID, "filter").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_the_page_fits_a_phone_and_each_value_has_its_heading(browser: Chrome, page: Path) -> None:
    browser.get(page.as_uri())
    _size(browser, 390, 844)
    try:
        assert _too_wide(browser) <= 0
        cell = browser.find_element(By.CSS_SELECTOR, "#records tbody td:nth-child(4)")
        assert cell.get_attribute("data-label") == "probability"
        heading = browser.execute_script("return getComputedStyle(arguments[0], '::before').display", cell)
        assert heading == "block"
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_text_has_a_contrast_of_at_least_four_and_a_half(browser: Chrome, page: Path, tmp_path: Path) -> None:
    record = made("a.jpg", caution="Few gatherings.", given=given(number="7"))
    write_sample_reports(lambda: [record], SampleReportSettings(tmp_path / "reports"), small_info())
    for path in (page, tmp_path / "reports" / "a.jpg.html"):
        browser.get(path.as_uri())
        contrasts = browser.execute_script(CONTRASTS)
        assert len(contrasts) > 8
        assert not {name: round(value, 2) for name, value in contrasts.items() if value < 4.5}
