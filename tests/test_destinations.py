"""Outputs are checked before work: they can be written, are no input, and replace only what leafid wrote."""

import os
import stat
from pathlib import Path

import pytest
from PIL import Image

from leafid.cli.preview import preview
from leafid.demo import draw_herbarium
from leafid.destinations import (
    MARK,
    Destination,
    check_destinations,
    contains_only,
    has_header,
    is_marked,
    save_picture,
)
from leafid.errors import OutputError
from leafid.files import Existing
from leafid.jobs import Job
from leafid.sources import collect
from leafid.tables import write_table


def picture(path: Path, option: str = "-o") -> Destination:
    return Destination(option, path, is_marked, makes_folders=False)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_pictures_of_leafid_are_recognised_and_replaced(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    save_picture(Image.effect_noise((60, 40), 90).convert("RGB"), path)
    assert is_marked(path)
    check_destinations([picture(path)], existing="replace")
    with pytest.raises(OutputError, match="already exists"):
        check_destinations([picture(path)])
    Image.new("RGB", (60, 40)).save(path)
    existing: Existing
    for existing in ("refuse", "resume", "replace"):
        with pytest.raises(OutputError, match="never replaced"):
            check_destinations([picture(path)], existing=existing)


@pytest.mark.parametrize("link", [None, "symbolic", "hard"])
def test_an_output_that_is_an_input_is_refused(tmp_path: Path, link: str | None) -> None:
    own, other = tmp_path / "own.png", tmp_path / "other.png"
    save_picture(Image.new("RGB", (6, 4)), own)
    if link == "symbolic":
        other.symlink_to(own)
    elif link == "hard":
        os.link(own, other)
    named = own if link is None else other
    with pytest.raises(OutputError, match=r"is also an input, which is never overwritten"):
        check_destinations([picture(named)], inputs=["http://a.org/own.png", "gone.png", own], existing="replace")


def test_two_outputs_are_never_one_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(OutputError, match=r"--report .*link/a\.png is also -o"):
        check_destinations([picture(tmp_path / "a.png"), picture(tmp_path / "link" / "a.png", "--report")])


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"the folder .*nowhere does not exist\. Create it first"):
        check_destinations([picture(tmp_path / "nowhere" / "a.png")])
    (tmp_path / "file").touch()
    for path in (Path("/proc/leafid/a.png"), tmp_path / "file" / "a.png"):
        with pytest.raises(OutputError, match=r"-o .*a\.png cannot be written: "):
            check_destinations([Destination("-o", path, is_marked)])
    check_destinations([Destination("-o", tmp_path / "new" / "er" / "a.png", is_marked)])
    assert [path.name for path in tmp_path.iterdir()] == ["file"], "the check leaves nothing behind"


def test_files_are_not_folders_and_folders_not_files(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    os.mkfifo(tmp_path / "b.png")
    (tmp_path / "c").write_text("x")
    (tmp_path / "d.png").symlink_to(tmp_path / "nowhere")
    for destination, message in [
        (picture(tmp_path / "a.png"), "is a folder. Name a file"),
        (picture(tmp_path / "b.png"), "is no regular file. Name a file"),
        (Destination("--out", tmp_path / "c", contains_only("x"), "folder"), "is a file. Name a folder"),
        (picture(tmp_path / "d.png"), "No such file"),
    ]:
        with pytest.raises(OutputError, match=message):
            check_destinations([destination], existing="replace")


def test_tables_and_folders_are_recognised(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", ["path", "=x", "a,b"], [["1", "2", "3"]])
    assert has_header(["path", "'=x", "a,b"])(tmp_path / "a.csv")
    assert has_header(["path"], begins=True)(tmp_path / "a.csv") and not has_header(["path"])(tmp_path / "a.csv")
    assert contains_only(r"a\.csv")(tmp_path) and not contains_only("b", "a")(tmp_path)
    (tmp_path / "a.csv").write_text("pa", encoding="utf-8")  # stopped while the header was written
    assert has_header(["path", "b"])(tmp_path / "a.csv") and not has_header(["image", "b"])(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe" + b'"' * 5000)
    assert not has_header(["path"], begins=True)(tmp_path / "a.csv")


def test_an_empty_file_is_nothing_to_lose(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    check_destinations([picture(tmp_path / "a.png")], existing="replace")


def test_a_preview_never_replaces_the_photo_or_a_foreign_picture(tmp_path: Path) -> None:
    own, foreign, new = (tmp_path / f"{name}.jpg" for name in ("own", "foreign", "new"))
    for path in (own, foreign):
        Image.new("RGB", (90, 120), (60, 170, 70)).save(path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OutputError, match=r"-o .*own\.jpg is also an input"):
        preview(own, own)
    with pytest.raises(OutputError, match="never replaced"):
        preview(own, foreign)
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}
    for _ in range(2):  # the second replaces the first
        preview(own, new)
    assert MARK.encode() in new.read_bytes()
    assert stat.S_IMODE(new.stat().st_mode) == stat.S_IMODE(own.stat().st_mode)


def test_collect_never_replaces_a_source_or_a_foreign_catalog(tmp_path: Path) -> None:
    Image.new("RGB", (90, 120), (60, 170, 70)).save(tmp_path / "a.png")
    catalog, mine = tmp_path / "data" / "catalog.csv", tmp_path / "mine.csv"
    catalog.parent.mkdir()
    catalog.write_text("path,scientificName\n../a.png,Viola alba\n", encoding="utf-8")
    mine.write_text("path,scientificName\na.png,Viola alba\n", encoding="utf-8")

    def job(table: Path) -> Job:
        sources = [{"kind": "table", "path": str(table)}]
        return Job.model_validate({"name": "t", "sources": sources, "output": {"data": str(catalog.parent)}})

    with pytest.raises(OutputError, match="is also an input"):
        collect(job(catalog))
    with pytest.raises(OutputError, match=r"catalog\.csv exists already and was not written"):
        collect(job(mine))
    assert catalog.read_text(encoding="utf-8").startswith("path,scientificName")
    catalog.unlink()
    for _ in range(2):
        assert collect(job(mine)).rows == 1


def test_drawings_never_land_among_other_files(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir(parents=True)
    (tmp_path / "images" / "000000.jpg").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"OUT .* exists already"):
        draw_herbarium(tmp_path, sheets=1)
    assert (tmp_path / "images" / "000000.jpg").read_bytes() == b"mine"
