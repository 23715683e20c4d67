"""The report in a browser sorts, filters and shows pictures, and does not run code in file names."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from leafid.destinations import MARK, check_destinations
from leafid.errors import OutputError
from leafid.identify import (
    Identifier,
    Plant,
    Record,
    Status,
    darwin_core_destination,
    report_destination,
    result_destinations,
    write_report,
)
from tests.browser import headless_chromium
from tests.identify.small_bundle import COLOURS, TARGET, leaf

HOSTILE = "<img src=x onerror=document.title='run'></script><script>document.title='run'</script>.png"


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """Return headless Chromium with a console log."""
    with headless_chromium("--window-size=1300,1000") as started:
        yield started


@pytest.fixture(scope="module")
def records(identifier: Identifier, tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """Return the records of nine leaves, one whose name is a script, and of a file that is not an image."""
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"{number}.png" for number in range(8)]
    paths.append(folder / HOSTILE.replace("/", "∕"))
    for number, path in enumerate(paths):
        leaf(list(COLOURS)[number % 3], number).save(path)
    (folder / "broken.png").write_text("no leaf")
    found = list(identifier.identify([*paths, folder / "broken.png"]))
    found[8] = replace(found[8], path=str(folder / HOSTILE), flora_sentence="13 pairs & more <b>bold</b>.")
    return found


def _open(browser: Chrome, page: Path) -> None:
    _console(browser)
    browser.get(page.as_uri())


def _console(browser: Chrome) -> list[dict[str, object]]:
    """Return the console messages since the last call."""
    messages: list[dict[str, object]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return messages


def _number(text: str) -> float:
    """Return the number in a displayed probability such as `61.9 %` or `> 99.9 %`."""
    return float(text.split()[-2])


def _column(browser: Chrome, number: int) -> list[str]:
    return [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, f"#records tbody td:nth-child({number})")]


@pytest.mark.parametrize("name", ["report.html", "report"])
def test_the_page_sorts_filters_shows_pictures_and_runs_no_code_in_file_names(
    browser: Chrome, identifier: Identifier, records: list[Record], tmp_path: Path, name: str
) -> None:
    progress: list[tuple[int, int]] = []
    output = tmp_path / name
    write_report(
        records,
        output,
        identifier.info,
        on=date(2026, 3, 1),
        images=10,
        on_progress=lambda *done: progress.append(done),
    )
    assert progress == [(10, 10)]
    page = output if output.is_file() else output / "index.html"
    assert not [word for word in ('src="http', 'href="http', "@import") if word in page.read_text(encoding="utf-8")]
    _open(browser, page)
    assert browser.title == f"Identification by {identifier.info.identifier}"
    assert _column(browser, 2) == [record.path for record in records]
    limits = identifier.info.trained_on.long
    assert all(sentence in browser.find_element(By.TAG_NAME, "body").text for sentence in limits)
    assert f"{TARGET} 3" in browser.find_element(By.CSS_SELECTOR, ".counts").text
    pictures = browser.find_elements(By.CSS_SELECTOR, "#records img")
    assert len(pictures) == 8
    assert all(browser.execute_script("return arguments[0].naturalWidth > 10", one) for one in pictures)

    heading = browser.find_element(By.CSS_SELECTOR, "th[data-key=probability] button")
    heading.click()
    down = _column(browser, 4)
    assert down[-1] == "" and down[:-1] == sorted(down[:-1], key=lambda text: -_number(text))
    heading.click()
    assert _column(browser, 4)[:-1] == sorted(down[:-1], key=_number)

    box = browser.find_element(By.ID, "filter")
    box.send_keys("hirsuta")
    assert set(_column(browser, 3)) == {"Mitragyna hirsuta"} and len(_column(browser, 3)) == 3
    assert browser.find_element(By.ID, "count").text == "3 of 10 images"
    for _ in "hirsuta":
        box.send_keys("\b")
    Select(browser.find_element(By.ID, "status")).select_by_visible_text("failed")
    assert [text.splitlines()[0] for text in _column(browser, 3)] == ["failed"]
    assert "run" not in browser.title and not browser.find_elements(By.CSS_SELECTOR, "td b")
    assert not _console(browser)


def test_a_plant_lists_its_photos_with_what_each_says_alone(
    browser: Chrome, identifier: Identifier, records: list[Record], tmp_path: Path
) -> None:
    photos = [records[number].path for number in (0, 1, 9)]
    plant = Plant("tree <b>7</b>", tuple(photos))
    page = tmp_path / "plants.html"
    write_report(identifier.identify_plants([plant]), page, identifier.info, on=date(2026, 3, 1))
    _open(browser, page)
    (cell,) = browser.find_elements(By.CSS_SELECTOR, "td.path")
    first, used, *listed = cell.text.splitlines()
    assert (first, used) == ("tree <b>7</b>", "one answer from 2 of 3 photos")
    assert all(path in line for path, line in zip(photos, listed, strict=True))
    assert [line.split()[-1] for line in listed[:2]] == ["%", "%"] and "left out: not_an_image" in listed[2]
    assert browser.find_element(By.ID, "count").text == "1 of 1 plants"
    box = browser.find_element(By.ID, "filter")
    box.send_keys("broken.png")
    assert browser.find_element(By.ID, "count").text == "1 of 1 plants"
    box.send_keys(" nowhere")
    assert browser.find_element(By.ID, "count").text == "0 of 1 plants"
    assert "run" not in browser.title and not _console(browser)


def test_five_thousand_rows_stay_fast(
    browser: Chrome, identifier: Identifier, records: list[Record], tmp_path: Path
) -> None:
    many = [replace(records[9], path=f"{number}.png") for number in range(5000)]
    page = tmp_path / "many.html"
    write_report(many, page, identifier.info, on=date(2026, 3, 1))
    _open(browser, page)
    assert "5000 of 5000" in browser.find_element(By.ID, "count").text
    assert len(browser.find_elements(By.CSS_SELECTOR, "#records tbody tr")) < 1000
    milliseconds = browser.execute_script(
        "const from = performance.now(); document.querySelector('th[data-key=path] button').click();"
        "document.getElementById('filter').value = '499'; "
        "document.getElementById('filter').dispatchEvent(new Event('input')); return performance.now() - from"
    )
    assert milliseconds < 5000
    assert browser.find_element(By.ID, "count").text == "15 of 5000 images"
    browser.execute_script(
        "document.getElementById('filter').value = ''; "
        "document.getElementById('filter').dispatchEvent(new Event('input')); window.scrollTo(0, 1e9)"
    )
    until = time.monotonic() + 20
    while len(browser.find_elements(By.CSS_SELECTOR, "#records tbody tr")) <= 100 and time.monotonic() < until:
        time.sleep(0.1)
    assert len(browser.find_elements(By.CSS_SELECTOR, "#records tbody tr")) > 100
    assert not _console(browser)


def test_a_report_folder_loads_many_files_and_replaces_only_a_report(
    browser: Chrome, identifier: Identifier, records: list[Record], tmp_path: Path
) -> None:
    folder = tmp_path / "report"
    address = "https://example.org/leaf.jpg"
    many = [replace(records[9], path=f"{number}.png") for number in range(12_000)]
    for rows in (records, [replace(records[0], path=address), *many]):
        write_report(rows, folder, identifier.info, on=date(2026, 3, 1))
    assert sorted(one.name for one in folder.rglob("*.*")) == ["0001.js", "0002.js", "0003.js", "index.html"]
    _open(browser, folder / "index.html")
    assert browser.find_element(By.ID, "count").text == "12001 of 12001 images"
    assert _column(browser, 1)[:2] == ["image from the web, no thumbnail", ""]
    assert browser.find_element(By.CSS_SELECTOR, "td.path a").get_attribute("href") == address
    assert not _console(browser)
    check_destinations([report_destination(folder)], existing="replace")
    (folder / "my notes.txt").touch()
    refused = r"was not written by this command of leafid"
    with pytest.raises(OutputError, match=refused):
        check_destinations([report_destination(folder)], existing="replace")
    with pytest.raises(OutputError, match=refused):
        write_report([], folder, identifier.info, on=date(2026, 3, 1))
    assert len(list(folder.iterdir())) == 3 and len(list(tmp_path.iterdir())) == 1


def test_an_image_that_is_gone_has_a_row_without_a_picture(
    identifier: Identifier, records: list[Record], tmp_path: Path
) -> None:
    assert records[0].status is not Status.FAILED
    write_report([replace(records[0], path="gone.png")], tmp_path / "report.html", identifier.info, on=date(2026, 3, 1))
    content = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "gone.png" in content and "data:image" not in content


def test_an_unusable_derived_output_is_refused_early(tmp_path: Path) -> None:
    (tmp_path / "there.html").write_text(f'<meta name="generator" content="{MARK}">', encoding="utf-8")
    for destination, name, message in [
        (report_destination, "there.html", "already exists"),
        (report_destination, "page.pdf", "ends in .html, or a folder whose name has no extension"),
        (darwin_core_destination, "rows.txt", "ends in .csv"),
        (darwin_core_destination, "nowhere/rows.csv", "does not exist"),
        (darwin_core_destination, "results.csv", "is also -o"),
    ]:
        with pytest.raises(OutputError, match=message):
            check_destinations([*result_destinations(tmp_path / "results.csv"), destination(tmp_path / name)])
    check_destinations([report_destination(tmp_path / "there.html")], existing="resume")
