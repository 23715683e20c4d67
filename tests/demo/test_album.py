"""`draw_album` and `leafid synthesize --photographs` write images, a table and the truth beside them."""

import csv
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from leafid.demo import draw_album, draw_photograph, photograph_record
from leafid.errors import OutputError, UsageError


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("album")
    assert draw_album(out, photographs=8, seed=2, long_side=200, workers=1) == out / "photographs.csv"
    return out


def test_truth_on_disk_is_that_of_the_photograph(album: Path) -> None:
    with (album / "photographs.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    records = [json.loads(line) for line in (album / "truth" / "truth.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == len(records) == 8
    for row, record in zip(rows, records, strict=True):
        photograph = draw_photograph(int(row["seed"]), long_side=200)
        assert {k: record[k] for k in photograph_record(photograph)} == photograph_record(photograph)
        assert row["path"] == record["path"] and int(row["leaves"]) == len(record["leaves"])
        image = cv2.imread(str(album / row["path"]))
        leaves = cv2.imread(str(album / "truth" / "leaves" / f"{Path(row['path']).stem}.png"), cv2.IMREAD_GRAYSCALE)
        assert image is not None and leaves is not None
        assert image.shape[:2] == leaves.shape == (int(row["height_px"]), int(row["width_px"]))
        for number, leaf in enumerate(photograph.leaves, start=1):
            assert np.array_equal(leaves == number, leaf.visible_mask(leaves.shape))


def test_same_files_with_two_workers_and_in_a_larger_album(album: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    draw_album(
        tmp_path, photographs=9, seed=2, long_side=200, workers=2, on_progress=lambda done, of: seen.append((done, of))
    )
    larger = digests(tmp_path)
    assert all(larger[name] == digest for name, digest in digests(album).items() if name.endswith((".jpg", ".png")))
    assert seen == [(i, 9) for i in range(1, 10)]


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"photographs is 0.*seed is -1.*long_side is 9.*workers is 0"):
        draw_album(tmp_path, photographs=0, seed=-1, long_side=9, workers=0)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"out cannot be written: .*file: Not a directory"):
        draw_album(tmp_path / "file" / "out", photographs=1)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from leafid.cli import main; main()", "synthesize", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_command_draws_photographs(tmp_path: Path) -> None:
    done = run(str(tmp_path / "out"), "--photographs", "--sheets", "2", "--long-side", "160")
    assert done.returncode == 0 and "2 drawn photographs" in done.stdout
    assert len(list((tmp_path / "out" / "images").glob("*.jpg"))) == 2


def test_command_refuses_a_size_for_sheets(tmp_path: Path) -> None:
    done = run(str(tmp_path), "--long-side", "160")
    assert done.returncode == 2 and "add --photographs" in done.stderr
