"""The page in a real browser: an answer in words, many photos, a phone, accessibility, Pl@ntNet's component."""

import functools
import http.server
import json
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from leafid.identify import read_records
from tests.characters.leaves import drawn_leaf, on_paper
from tests.identify.small_bundle import TARGET, leaf
from tests.serve.npm import npm_packages
from tests.serve.running import Running, running

HOSTILE = "<img src=x onerror=document.title='run'>.png"

COMPONENT = """<!doctype html><title>site</title>
<script type="importmap">IMPORTS</script>
<script type="module" src="/ai-taxonomist/dist/src/index.js"></script>
<ai-taxonomist apiUrl="ADDRESS/v2/identify/all"></ai-taxonomist>"""
"""A page of another site with the component that Pl@ntNet publishes for its own service."""

IMPORTS = {
    "tslib": "/tslib/tslib.es6.mjs",
    "lit": "/lit/index.js",
    "lit/": "/lit/",
    "lit-html": "/lit-html/lit-html.js",
    "lit-html/": "/lit-html/",
    "lit-element/": "/lit-element/",
    "@lit/reactive-element": "/@lit/reactive-element/reactive-element.js",
    "@lit/reactive-element/": "/@lit/reactive-element/",
    "file-drop-element": "/file-drop-element/dist/filedrop.mjs",
}
"""Where the modules that the component names are found."""


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return npm_packages(tmp_path_factory.mktemp("npm"))


@pytest.fixture
def site(packages: Path) -> Iterator[str]:
    """Return the address of another web site, with the component."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def guess_type(self, path: str | os.PathLike[str]) -> str:
            return "text/javascript" if str(path).endswith("js") else super().guess_type(path)

        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(packages))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def page(browser: Chrome, service: Running) -> Iterator[Chrome]:
    """Return the opened page; at the end its console must be empty."""
    browser.get(service.address)
    yield browser
    messages: list[dict[str, str]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    problems = [entry["message"] for entry in messages if entry["level"] == "SEVERE"]
    assert problems == []


def wait(browser: Chrome, css: str) -> WebElement:
    """Wait for a visible element with text or a picture."""

    def found(_: Chrome) -> WebElement | None:
        shown = [one for one in browser.find_elements(By.CSS_SELECTOR, css) if one.is_displayed()]
        return shown[0] if shown else None

    return until(browser, found)  # type: ignore[return-value]


def until(browser: Chrome, condition: Callable[[Chrome], object]) -> object:
    """Wait until a condition holds; the page may replace elements while they are read."""
    return WebDriverWait(browser, 60, ignored_exceptions=[StaleElementReferenceException]).until(condition)


def choose(browser: Chrome, field: str, *photos: Path) -> None:
    browser.find_element(By.ID, field).send_keys("\n".join(str(photo) for photo in photos))


def test_a_photo_is_answered_in_words(page: Chrome, photos: list[Path]) -> None:
    choose(page, "choose", photos[2])
    sentence = wait(page, "#sentences p").text
    assert (TARGET in sentence and "robably" in sentence) or "lmost certainly" in sentence
    assert page.find_element(By.CSS_SELECTOR, "#candidates .name").text == TARGET
    assert page.find_element(By.CSS_SELECTOR, "#photos li").text == photos[2].name
    wait(page, "#leaf-state")
    page.find_element(By.ID, "clear").click()
    assert not page.find_element(By.ID, "answer").is_displayed()
    assert page.find_elements(By.CSS_SELECTOR, "#photos li") == []


def test_the_leaf_is_measured_between_two_clicks(page: Chrome, tmp_path: Path) -> None:
    drawn = drawn_leaf("Coffea canephora", 6, direction_deg=35)
    Image.fromarray(on_paper(drawn)).save(tmp_path / "leaf.png")
    choose(page, "choose", tmp_path / "leaf.png")
    first = wait(page, "#drawing img").get_attribute("src")
    photo = page.find_element(By.CSS_SELECTOR, "#clickable img")
    scale = photo.size["width"] / drawn.image.shape[1]
    for point in (drawn.midrib_px[0], drawn.midrib_px[-1]):
        x, y = (float(value) * scale for value in point)
        page.execute_script(
            "const image = arguments[0], frame = image.getBoundingClientRect();"
            "image.dispatchEvent(new MouseEvent('click', {bubbles: true, detail: 1,"
            " clientX: frame.left + arguments[1], clientY: frame.top + arguments[2]}))",
            photo,
            x,
            y,
        )
    until(
        page,
        lambda _: (
            page.find_elements(By.CSS_SELECTOR, "#drawing img")
            and page.find_element(By.CSS_SELECTOR, "#drawing img").get_attribute("src") != first
        ),
    )
    assert "secondary vein" in page.find_element(By.ID, "characters").text


def test_many_photos_make_a_table(page: Chrome, photos: list[Path], tmp_path: Path) -> None:
    hostile = tmp_path / HOSTILE
    leaf(TARGET, 3, side=100).save(hostile)
    (tmp_path / "notes.png").write_text("no leaf")
    choose(page, "batch-choose", *photos, hostile, tmp_path / "notes.png")
    until(page, lambda _: page.find_element(By.ID, "batch-state").text == "5 of 5 photos")
    rows = [row.text for row in page.find_elements(By.CSS_SELECTOR, "#batch-table tbody tr")]
    assert len(rows) == 5 and HOSTILE in rows[3] and "not_an_image" in rows[4]
    assert page.title != "run"
    page.find_element(By.CSS_SELECTOR, "[data-key=scientific_name]").click()
    names = [cell.text for cell in page.find_elements(By.CSS_SELECTOR, "#batch-table tbody td:nth-child(2)")]
    assert names == sorted(names) and names[-1] == TARGET
    page.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    page.find_element(By.CSS_SELECTOR, "[data-format=csv]").click()
    until(page, lambda _: (tmp_path / "leafid.csv").is_file())
    assert len(list(read_records(tmp_path / "leafid.csv"))) == 5


def test_it_fits_a_phone(page: Chrome, photos: list[Path]) -> None:
    metrics = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page.refresh()
        choose(page, "choose", photos[0])
        wait(page, "#sentences p")
        choose(page, "batch-choose", *photos)
        until(page, lambda _: page.find_element(By.ID, "batch-state").text == "3 of 3 photos")
        assert page.execute_script("return document.documentElement.scrollWidth") <= 360
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_nothing_serious_is_found_by_axe(page: Chrome, packages: Path, photos: list[Path]) -> None:
    choose(page, "choose", photos[0])
    wait(page, "#sentences p")
    choose(page, "batch-choose", photos[1])
    until(page, lambda _: page.find_element(By.ID, "batch-state").text == "1 of 1 photos")
    page.execute_script((packages / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    found = page.execute_async_script("axe.run().then(arguments[0])")
    serious = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
    assert serious == []


def test_the_component_for_plantnet_works_on_another_site(
    browser: Chrome, bundle: Path, site: str, packages: Path, photos: list[Path]
) -> None:
    with running(bundle, "--origin", site) as service:
        imports = json.dumps({"imports": IMPORTS})
        content = COMPONENT.replace("ADDRESS", service.address).replace("IMPORTS", imports)
        (packages / "site.html").write_text(content, encoding="utf-8")
        browser.get(f"{site}/site.html")
        script = "return document.querySelector('ai-taxonomist')?.shadowRoot"
        until(browser, lambda _: browser.execute_script(script))
        pixels = list(photos[2].read_bytes())
        browser.execute_script(
            "const file = new File([new Uint8Array(arguments[0])], 'leaf.png', {type: 'image/png'});"
            "const component = document.querySelector('ai-taxonomist');"
            "component.shadowRoot.querySelector('image-picker').dispatchEvent("
            "new CustomEvent('imagepick', {detail: {files: [file]}}))",
            pixels,
        )
        shown = (
            "return document.querySelector('ai-taxonomist').shadowRoot.querySelector('taxon-results')"
            "?.shadowRoot.querySelector('.speciesName')?.textContent ?? ''"
        )
        until(browser, lambda _: TARGET in browser.execute_script(shown))
        browser.get_log("browser")  # type: ignore[no-untyped-call] # the other site has no icon


def test_the_page_speaks_other_languages(page: Chrome, service: Running, photos: list[Path]) -> None:
    page.get(f"{service.address}/?lang=id")
    assert "dibuat oleh mesin" in page.find_element(By.TAG_NAME, "body").text
    choose(page, "choose", photos[0])
    assert "Kemungkinan Coffea canephora" in wait(page, "#sentences p").text


def test_texts_of_other_languages_fit_the_english_ones() -> None:
    folder = Path(__file__).parents[2] / "src" / "leafid" / "serve" / "texts"
    english = json.loads((folder / "en.json").read_text(encoding="utf-8"))
    for path in folder.glob("*.json"):
        others = json.loads(path.read_text(encoding="utf-8"))
        assert set(others) <= set(english), path.name
        for key, text in others.items():
            assert sorted(_fields(text)) == sorted(_fields(english[key])), f"{path.name}: {key}"


def _fields(text: str) -> list[str]:
    import string

    return [name for _, name, _, _ in string.Formatter().parse(text) if name]


def test_a_zip_and_earlier_answers(page: Chrome, photos: list[Path], tmp_path: Path) -> None:
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for photo in photos[:2]:
            packed.write(photo, f"trip/{photo.name}")
        packed.writestr("trip/notes.txt", "no photo")
        packed.writestr("__MACOSX/trip/._leaf.png", "no photo")
    choose(page, "batch-choose", archive)
    until(page, lambda _: page.find_element(By.ID, "batch-state").text == "2 of 2 photos")
    files = [cell.text for cell in page.find_elements(By.CSS_SELECTOR, "#batch-table tbody td:first-child")]
    assert files == [photo.name for photo in photos[:2]]
    (tmp_path / "damaged.zip").write_bytes(archive.read_bytes()[:-40])
    choose(page, "batch-choose", tmp_path / "damaged.zip")
    until(page, lambda _: "cannot be unpacked" in page.find_element(By.ID, "batch-state").text)
    for photo in photos[:2]:
        choose(page, "choose", photo)
        wait(page, f"#photos img[alt='{photo.name}']")
        wait(page, "#sentences p")
        if photo == photos[0]:
            page.find_element(By.ID, "clear").click()
    page.find_element(By.CSS_SELECTOR, "#history summary").click()
    page.find_element(By.CSS_SELECTOR, "#earlier button").click()
    until(page, lambda _: page.find_element(By.CSS_SELECTOR, "#photos li").text == photos[0].name)


def test_heat_maps_are_shown_on_demand(page: Chrome, photos: list[Path]) -> None:
    choose(page, "choose", photos[0])
    wait(page, "#show-heat").click()
    wait(page, "#heat img")
    assert len(page.find_elements(By.CSS_SELECTOR, "#heat figure")) == 2
