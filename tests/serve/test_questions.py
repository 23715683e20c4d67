"""What to look up on the plant: asked by the service and the page, judged by floras, never mixed into probabilities."""

import json
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from leafid.identify import looked_up_characters
from tests.identify.small_bundle import TARGET
from tests.serve.running import Running

COFFEA, HIRSUTA = "Coffea canephora", "Mitragyna hirsuta"
TAXA = {COFFEA: 0.3, HIRSUTA: 0.3, TARGET: 0.4}


def ask(service: Running, **given: object) -> dict[str, Any]:
    answer = service.client.post("/v1/questions", json={"taxa": TAXA, **given})
    assert answer.status_code == 200, answer.text
    judged: dict[str, Any] = answer.json()
    return judged


def test_an_undecided_answer_asks_and_its_record_only_on_request(undecided: Running, photos: list[Path]) -> None:
    answer = undecided.identify(photos[2]).json()
    assert answer["plant"]["reason"] == "ambiguous" and answer["plant"]["next_question"] is None
    assert set(answer["open_taxa"]) == set(TAXA)
    first, second = answer["questions"]
    assert first["character"] == "stipule_form" and second["organ"] != "stipules"
    lanceolate = first["states"][0]
    assert lanceolate["left"] == [TARGET] and lanceolate["undescribed"] == []
    assert {one["taxon"] for one in lanceolate["against"]} == {COFFEA, HIRSUTA}
    assert all(one["source"] and one["words"] for one in lanceolate["against"])
    drawing = undecided.client.get("/" + lanceolate["drawing"])
    assert drawing.headers["content-type"] == "image/svg+xml" and b"<svg" in drawing.content
    asked = undecided.identify(photos[2], ask="true").json()
    assert asked["plant"]["next_question"].startswith("stipule_form: What form do the stipules have?")
    assert asked["questions"] == answer["questions"]
    same = {"next_question": None, "identified_at": None}
    assert {**asked["plant"], **same} == {**answer["plant"], **same}


def test_a_decided_answer_asks_nothing(service: Running, photos: list[Path]) -> None:
    answer = service.identify(photos[2]).json()
    assert answer["questions"] == [] and list(answer["open_taxa"]) == [TARGET]


def test_observations_leave_taxa_and_the_next_question_is_about_those(service: Running) -> None:
    none = ask(service)
    assert none["left"] == list(TAXA) and none["observations"] == [] and len(none["questions"]) == 2
    one = ask(service, observed={"stipule_form": "broad", "domatia": None})
    assert one["left"] == [HIRSUTA] and one["questions"] == []
    broad, domatia = one["observations"]
    assert broad["seen"]["left"] == [HIRSUTA] and domatia["seen"] is None
    hairs = ask(service, observed={"hairs_below": "glabrous"})
    assert hairs["left"] == [COFFEA, TARGET]
    asked = {question["character"] for question in hairs["questions"]}
    assert asked and "hairs_below" not in asked
    assert {name for each in hairs["questions"][0]["states"] for name in each["left"]} == {COFFEA, TARGET}
    contradiction = ask(service, observed={"stipule_form": "two_lobed"})
    assert contradiction["left"] == [] == contradiction["questions"]


def test_what_the_photo_shows_is_not_asked(service: Running) -> None:
    taxa = {"Mitragyna rotundifolia": 0.5, "Mitragyna tubulosa": 0.5}
    for shown, expected in (([], True), (["secondary_vein_pairs"], False)):
        asked = [question["character"] for question in ask(service, taxa=taxa, shown=shown)["questions"]]
        assert ("vein_pairs" in asked) == expected


def test_wrong_requests_say_what_is_wrong(service: Running) -> None:
    for observed, message in (
        ({"colour": "red"}, "There is no character 'colour'; the characters are hairs_below, domatia"),
        ({"domatia": "blue"}, "domatia has no state 'blue'; its states are tufts, pits, absent"),
    ):
        answer = service.client.post("/v1/questions", json={"taxa": TAXA, "observed": observed})
        assert answer.status_code == 400 and message in answer.json()["message"]
    for body in (b'{"taxa": {"\\ud800": 2}}', b'{"taxa": {"a": NaN}}', b'{"observed": {}}', b"[]"):
        headers = {"Content-Type": "application/json"}
        assert service.client.post("/v1/questions", content=body, headers=headers).status_code == 400
    for path in ("domatia/blue", "colour/red", "../page"):
        assert service.client.get(f"/static/states/{path}.svg").status_code == 404


def test_every_state_has_a_drawing_that_loads_nothing(service: Running) -> None:
    for character in looked_up_characters().values():
        for state in character.states:
            answer = service.client.get(f"/static/states/{character.name}/{state.name}.svg")
            assert answer.status_code == 200, state
            assert not {"href", "<script", "style", "url("} & set(answer.text.replace('"', " ").split()), state


def shown(browser: Chrome, css: str) -> WebElement:
    def found(_: Chrome) -> WebElement | None:
        return next((one for one in browser.find_elements(By.CSS_SELECTOR, css) if one.is_displayed()), None)

    return WebDriverWait(browser, 60).until(found)  # type: ignore[return-value]


def answer_question(browser: Chrome, character: str, state: str) -> None:
    radio = shown(browser, f"input[name={character}][value='{state}']")
    radio.click()
    radio.find_element(By.XPATH, "ancestor::form").find_element(By.TAG_NAME, "button").click()


def test_a_session_with_two_questions(browser: Chrome, undecided: Running, photos: list[Path]) -> None:
    browser.get(undecided.address)
    browser.find_element(By.ID, "choose").send_keys(str(photos[2]))
    first = shown(browser, "#questions .question")
    assert "What form do the stipules have?" in first.text
    drawn = first.find_elements(By.TAG_NAME, "img")
    assert len(drawn) == 4 and all(image.get_attribute("alt") for image in drawn)
    WebDriverWait(browser, 10).until(
        lambda _: browser.execute_script(
            "return [...document.images].every(one => one.complete && one.naturalWidth > 0)"
        )
    )
    probabilities = browser.find_element(By.ID, "candidates").text

    answer_question(browser, "hairs_below", "glabrous")
    assert "name" in shown(browser, ".question [role=alert]:not(:empty)").text  # no observation without an observer
    browser.find_element(By.ID, "observer").send_keys("Ana <b>Lim</b>")
    answer_question(browser, "hairs_below", "glabrous")
    hairs = shown(browser, ".observation").text
    assert "Ana <b>Lim</b>" in hairs
    leaves = next(line for line in hairs.splitlines() if line.startswith("Leaves: "))
    assert set(leaves.removeprefix("Leaves: ").split(", ")) == {COFFEA, TARGET}
    assert f"{HIRSUTA}: sparsely to densely hairy below (de.zxc.wiki" in hairs

    answer_question(browser, "stipule_form", "lanceolate")
    together = shown(browser, ".together").text
    assert together == f"All observations together leave: {TARGET}"
    assert browser.find_elements(By.CSS_SELECTOR, ".question") == []  # nothing remains to be separated
    assert browser.find_element(By.ID, "candidates").text == probabilities

    browser.execute_script(
        "window.saved = []; const make = URL.createObjectURL;"
        "URL.createObjectURL = blob => {"
        " if (blob.type === 'application/json') blob.text().then(text => saved.push(text)); return make(blob); }"
    )
    browser.find_element(By.ID, "save-answer").click()
    text = WebDriverWait(browser, 10).until(lambda _: browser.execute_script("return saved[0]"))
    saved = json.loads(str(text))
    assert [one["state"] for one in saved["observations"]] == ["glabrous", "lanceolate"]
    assert all(
        one["observer"] == "Ana <b>Lim</b>" and one["observed_at"].endswith("Z") for one in saved["observations"]
    )
    assert saved["left"] == [TARGET] and saved["plant"]["path"] == photos[2].name

    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert shown(browser, ".observation") and not browser.find_element(By.ID, "save-answer").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})

    shown(browser, ".observation button").click()  # taken back
    WebDriverWait(browser, 10).until(lambda _: len(browser.find_elements(By.CSS_SELECTOR, ".observation")) == 1)
    messages = browser.get_log("browser")  # type: ignore[no-untyped-call]
    assert [entry["message"] for entry in messages if entry["level"] == "SEVERE"] == []
    browser.find_element(By.ID, "clear").click()
    assert not browser.find_element(By.ID, "questions").is_displayed()


def test_questions_fit_a_phone(browser: Chrome, undecided: Running, photos: list[Path]) -> None:
    metrics = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        browser.get(undecided.address)
        browser.find_element(By.ID, "choose").send_keys(str(photos[2]))
        shown(browser, "#questions .question")
        browser.find_element(By.ID, "observer").send_keys("A" * 90)
        answer_question(browser, "stipule_form", "")  # cannot be seen
        assert "Says nothing about the taxa" in shown(browser, ".observation").text
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
