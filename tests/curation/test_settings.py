"""Settings of curation that contradict each other are refused with the reason."""

import pytest
from pydantic import ValidationError

from leafid.jobs import SplitSettings


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"val": 0.45, "test": 0.45}, "at most 0.8"),
        ({"by": "institution"}, "needs test_values"),
        ({"by": "gathering", "test_values": ["L"]}, "belong to by: column"),
        ({"by": "gathering", "column": "fold"}, "belong to by: column"),
        ({"by": "column", "column": "fold", "test_values": ["1"], "val_values": ["1"]}, "1 is in both"),
        ({"by": "column", "val_values": ["1"]}, "needs test_values as well"),
    ],
)
def test_contradictory_settings_are_refused(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        SplitSettings.model_validate(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"by": "column"},
        {"by": "institution", "test_values": ["L"]},
        {"by": "column", "column": "fold", "test_values": ["1"], "val_values": ["2"]},
    ],
)
def test_consistent_settings_are_accepted(settings: dict[str, object]) -> None:
    assert SplitSettings.model_validate(settings).test == 0.15
