"""``leafid label-issues`` lists doubtful training labels."""

import re
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
    assert table["scientificName"].tolist() == ["Coffea canephora"]
    assert f"v0  {TARGET}: " in done.stdout and "most similar sheets are Coffea canephora" in done.stdout
    alike, sheets = re.findall(r"^(\d+) of (\d+) sheets are most similar", done.stderr, re.MULTILINE)[0]
    assert int(sheets) - 9 <= int(alike) < int(sheets) == 8 * len(COLOURS) + (split["split"] == "train").sum()
    calibrated = next(run_folder.rglob("references.csv"))
    references = pd.read_csv(calibrated, dtype=str)
    references["catalogNumber"] = references["image_id"].where(references["image_id"] != "v0", "VIOLA-0001")
    references["institutionCode"] = "KH"
    references.to_csv(calibrated, index=False)
    numbered = subprocess.run(command, capture_output=True, text=True)
    assert f"KH VIOLA-0001  {TARGET}: " in numbered.stdout, numbered.stderr
    refused = subprocess.run([*command[:-1], str(tmp_path / "label_issues.txt")], capture_output=True, text=True)
    assert refused.returncode == 2 and "ends in .csv" in refused.stderr
