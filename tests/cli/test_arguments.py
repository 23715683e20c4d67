"""Option values are checked before any slow work."""

from pathlib import Path

import pytest

from leafid.cli.arguments import number_or_auto
from leafid.cli.export import Format, export
from leafid.errors import UsageError


def test_a_number_or_auto() -> None:
    assert number_or_auto("--workers", "auto") == "auto"
    assert number_or_auto("--workers", "12") == 12
    for wrong in ("0", "-1", "2.5", "many", "", "¹", "١"):
        with pytest.raises(UsageError, match=r"--workers .*: give a whole number of at least 1, or auto"):
            number_or_auto("--workers", wrong)


def test_int8_and_calibrate_belong_together() -> None:
    for int8, calibrate in ((True, None), (False, ["photos"])):
        with pytest.raises(UsageError, match="--int8 and --calibrate belong together"):
            export(Path("bundle"), Format.OPENVINO, int8=int8, calibrate=calibrate)
