"""Every reason for an answer without a name is put into words in every language, with what to do."""

import pytest

from leafid.serve.wording import languages, texts
from leafid.trust.decision import UndeterminedReason


@pytest.mark.parametrize("reason", UndeterminedReason)
def test_every_reason_has_words_and_advice(reason: UndeterminedReason) -> None:
    words = texts("en")
    assert words[f"reason_{reason.value}"].endswith(".") and words[f"advice_{reason.value}"].endswith(".")


@pytest.mark.parametrize("language", [language for language in languages() if language != "en"])
@pytest.mark.parametrize("reason", ["too_small", "too_dark", "blurred", "not_a_leaf", "several_plants", "cut_off"])
def test_what_is_wrong_with_a_photo_is_said_in_every_language(language: str, reason: str) -> None:
    for part in ("reason", "advice"):
        assert texts(language)[f"{part}_{reason}"] != texts("en")[f"{part}_{reason}"]
