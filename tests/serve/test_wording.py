"""Every reason for an answer without a name is put into words, with what to do."""

import pytest

from leafid.serve.wording import texts
from leafid.trust.decision import UndeterminedReason


@pytest.mark.parametrize("reason", UndeterminedReason)
def test_every_reason_has_words_and_advice(reason: UndeterminedReason) -> None:
    words = texts("en")
    assert words[f"reason_{reason.value}"].endswith(".") and words[f"advice_{reason.value}"].endswith(".")
