"""``leafid label-issues`` lists doubtful training labels."""

import subprocess
import sys
from pathlib import Path

import pandas as pd

from leafid.trust import calibrate
from tests.identify.small_bundle import COLOURS, TARGET, leaf
from tests.trust.conftest import run_folder

__all__ = ["run_folder"]


def test_a_sheet_under_a_wrong_name_is_listed(run_folder: Path, tmp_path: Path) -> None:
    split = pd.read_csv(run_folder / "split.csv")
    rows = []
    for number, name in enumerate([name for name in COLOURS for _ in range(8)]):
        leaf(name, 500 + number).save(run_folder.parent / "images" / f"v{number}.png")
        rows.append((f"v{number}", f"images/v{number}.png", name, f"v{number}", None, None, "val"))
    rows[0] = (*rows[0][:2], TARGET, *rows[0][3:])
    pd.concat([split, pd.DataFrame(rows, columns=split.columns)]).to_csv(run_folder / "split.csv", index=False)
    calibrate(run_folder, device="cpu")
    command = [
        str(Path(sys.executable).with_name("leafid")),
        "label-issues",
        str(run_folder),
        "-o",
        str(tmp_path / "label_issues.csv"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "label_issues.csv")
    assert table["associatedMedia"].tolist() == ["v0"] and table["verbatimIdentification"].tolist() == [TARGET]
    assert table["scientificName"].tolist() == ["Coffea canephora"] and "v0" in done.stdout
    refused = subprocess.run([*command[:-1], str(tmp_path / "label_issues.txt")], capture_output=True, text=True)
    assert refused.returncode == 2 and "ends in .csv" in refused.stderr
