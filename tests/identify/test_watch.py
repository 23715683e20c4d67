"""`leafid watch` identifies each arriving photo once, when its file is complete."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from leafid.errors import ExitCode, LeafidError
from leafid.identify import Identifier, Record, Status, check_watch, identify_to_file, read_records, watch_folder
from tests.identify.small_bundle import COLOURS, leaf, make_bundle

LEAFID = Path(sys.executable).with_name("leafid")


def _watching(bundle: Path, cwd: Path) -> subprocess.Popen[str]:
    words = [str(LEAFID), "watch", str(bundle), "photos", "-o", "results.csv", "--settle", "1.5", "--interval", "0.1"]
    # A shell that runs tests in the background lets its children ignore Ctrl-C; a terminal does not.
    return subprocess.Popen(
        words,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )


def _records(cwd: Path) -> list[Record]:
    try:
        return list(read_records(cwd / "results.csv"))
    except LeafidError:
        return []


def _until(reached: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def _ended(process: subprocess.Popen[str], number: int = signal.SIGINT) -> str:
    process.send_signal(number)
    stdout, _ = process.communicate(timeout=60)
    return stdout


@pytest.mark.timeout(280)
def test_photos_are_identified_once_and_only_when_complete(bundle_folder: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    (photos / "station 2").mkdir(parents=True)
    names = list(COLOURS)
    leaf(names[0], 0).save(photos / "there.jpg")
    leaf(names[1], 1, side=300).save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()

    process = _watching(bundle_folder, tmp_path)
    _until(lambda: len(_records(tmp_path)) == 1)
    with (photos / "slow.png").open("wb", buffering=0) as slow:
        for offset in range(0, len(content), len(content) // 8):
            slow.write(content[offset : offset + len(content) // 8])
            time.sleep(0.1)
            assert len(_records(tmp_path)) == 1
    (photos / "notes.txt").write_text("no photo")
    (photos / "broken.jpg").write_text("no photo either")
    Image.new("L", (8, 8)).save(
        photos / "station 2" / "book.tif", save_all=True, append_images=[Image.new("L", (8, 8))]
    )
    _until(lambda: len(_records(tmp_path)) == 5)
    process.kill()
    process.communicate()

    leaf(names[2], 2).save(photos / "=later.jpg")
    process = _watching(bundle_folder, tmp_path)
    _until(lambda: len(_records(tmp_path)) == 6)
    time.sleep(3)
    stdout = _ended(process)
    assert process.returncode == ExitCode.INTERRUPTED, stdout
    assert "5 were identified before" in stdout and "Traceback" not in stdout
    found = {record.path: record for record in _records(tmp_path)}
    assert set(found) == {
        f"photos/{name}"
        for name in (
            "there.jpg",
            "slow.png",
            "broken.jpg",
            "station 2/book.tif#page=1",
            "station 2/book.tif#page=2",
            "=later.jpg",
        )
    }
    assert len(_records(tmp_path)) == 6
    assert found["photos/slow.png"].scientific_name == names[1]
    assert found["photos/broken.jpg"].status is Status.FAILED


def test_a_folder_may_be_unreachable_for_a_while(identifier: Identifier, tmp_path: Path) -> None:
    folder, away, output = tmp_path / "photos", tmp_path / "away", tmp_path / "results.jsonl"
    folder.mkdir()
    leaf(next(iter(COLOURS)), 1).save(folder / "1.png")
    errors: list[str] = []

    def on_record(record: Record) -> None:
        if record.path.endswith("1.png"):
            folder.rename(away)
        else:
            os.kill(os.getpid(), signal.SIGINT)

    def on_error(message: str) -> None:
        errors.append(message)
        away.rename(folder)
        leaf(next(iter(COLOURS)), 2).save(folder / "2.png")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        summary = watch_folder(
            identifier, folder, output, interval=0.02, settle=0.05, on_record=on_record, on_error=on_error
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert summary.images == 2 and errors == [f"{folder} cannot be read (No such file or directory); waiting for it"]
    assert [Path(record.path).name for record in read_records(output)] == ["1.png", "2.png"]


def test_unusable_folders_and_outputs_are_refused(identifier: Identifier, tmp_path: Path) -> None:
    leaf(next(iter(COLOURS)), 1).save(tmp_path / "1.png")
    for folder, output, message in [
        (tmp_path / "gone", "results.csv", "cannot be watched"),
        (tmp_path, "results.parquet", r"ends in \.csv or \.jsonl"),
    ]:
        with pytest.raises(LeafidError, match=message):
            check_watch(folder, tmp_path / output)
    identify_to_file(identifier, [tmp_path / "1.png"], tmp_path / "results.csv")
    other = Identifier.load(make_bundle(tmp_path / "bundle", name="other").folder, device="cpu")
    with pytest.raises(LeafidError, match="record 1: identified by the bundle colours@"):
        watch_folder(other, tmp_path, tmp_path / "results.csv")
