"""The terminal shows every record and the limits, and escapes control characters in file names."""

import subprocess
import sys
from pathlib import Path

from rich.console import Console, RenderableType

from leafid.identify import (
    Candidate,
    Identifier,
    Record,
    Status,
    Summary,
    identify_to_list,
    records_table,
    summary_table,
)
from tests.identify.small_bundle import TARGET, leaf

LIMITS = "The limits of this bundle."
CANDIDATES = (Candidate(TARGET, 0.62), Candidate("Mitragyna hirsuta", 0.31), Candidate("Coffea canephora", 0.07))


def _record(path: str, status: Status, name: str | None = None, reason: str | None = None) -> Record:
    read = status is not Status.FAILED
    return Record(
        path=path,
        status=status,
        scientific_name=name,
        probability=0.62 if read else None,
        target_probability=0.62 if read else None,
        candidates=CANDIDATES if read else (),
        reason=reason,
        bundle="b@1",
        leafid_version="1",
    )


def _shown(table: RenderableType, width: int = 120) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_each_record_is_shown_with_its_result_and_the_limits() -> None:
    records = [
        _record("a.jpg", Status.IDENTIFIED, TARGET),
        _record("b.jpg", Status.UNDETERMINED, reason="ambiguous"),
        _record("c.jpg", Status.FAILED, reason="empty: the file has no bytes"),
    ]
    shown = _shown(records_table(records, limits=LIMITS, target=TARGET), 130)
    rows = {line.split()[0]: line for line in shown.splitlines() if line.strip()}
    assert TARGET in rows["a.jpg"] and "62%" in rows["a.jpg"] and "Mitragyna hirsuta 31%" in rows["a.jpg"]
    assert "undetermined, ambiguous" in rows["b.jpg"] and f"{TARGET} 62%, Mitragyna hirsuta 31%" in rows["b.jpg"]
    assert "failed, empty: the file has no bytes" in rows["c.jpg"] and "%" not in rows["c.jpg"]
    assert LIMITS in " ".join(shown.split())


def test_control_characters_in_a_file_name_are_escaped() -> None:
    hostile = "[red]x[/red]\x1b[2J\x07\n\udcff.jpg"
    shown = _shown(
        records_table([_record(hostile, Status.FAILED, reason="missing: there is no such file")], limits=LIMITS)
    )
    assert "\x1b" not in shown and "\x07" not in shown
    assert r"[red]x[/red]\x1b[2J\x07\n\xff.jpg" in shown


def test_the_summary_counts_everything() -> None:
    statuses = {Status.IDENTIFIED: 7, Status.UNDETERMINED: 2, Status.FAILED: 1}
    shown = _shown(
        summary_table(Summary(statuses, {TARGET: 4, "X y": 3}, {"ambiguous": 2, "empty": 1}, 5, 2.0), limits=LIMITS)
    )
    for line in ("7  identified", f"4  {TARGET}", "2  undetermined", "1  failed", "2  ambiguous", "1  empty"):
        assert line in shown
    assert "5 images in 2.0 s (2.5 images/s); 5 were identified before." in shown
    assert LIMITS in " ".join(shown.split())


def test_the_table_of_a_real_run_fits_eighty_columns(identifier: Identifier, tmp_path: Path) -> None:
    leaf(TARGET).save(tmp_path / "leaf.png")
    records, _ = identify_to_list(identifier, [tmp_path / "leaf.png"])
    assert all(
        len(line) <= 80 for line in _shown(records_table(records, limits=LIMITS, target=TARGET), 80).splitlines()
    )


def test_importing_identify_imports_no_heavy_package() -> None:
    heavy = {"torch", "pandas", "pyarrow", "sklearn", "scipy", "cv2", "yarl", "rich"}
    code = f"import sys, leafid.identify.commands; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
