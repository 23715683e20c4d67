"""Named files, folders and lists expand to images in order, completely, with a remark on everything left out."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from leafid.errors import UsageError
from leafid.identify import find_inputs, select_shard
from leafid.identify.inputs.name_list import NameList


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a folder with a folder of photos, whose content does not matter."""
    monkeypatch.chdir(tmp_path)
    for name in ("b/2.JPG", "b/1.png", "a.tif", "b/c/deep.heic", "notes.txt", "b/x.xmp", "noending", ".hidden.jpg"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "photos"


def _found(*arguments: str) -> list[str]:
    return list(find_inputs(arguments).paths)


def test_a_folder_gives_its_images_sorted_and_counts_what_it_leaves_out(photos: Path) -> None:
    inputs = find_inputs(["photos"])
    assert list(inputs.paths) == [
        "photos/a.tif",
        "photos/b/1.png",
        "photos/b/2.JPG",
        "photos/b/c/deep.heic",
    ]
    assert inputs.other_files == {".txt": 1, ".xmp": 1, "": 1} and inputs.hidden == 1
    assert inputs.remarks == (
        "3 files in folders left out, without an image extension: 1 without extension, 1 .txt, 1 .xmp.",
        "1 hidden or system file or folder left out.",
    )


def test_the_order_is_that_of_the_arguments_and_a_file_named_twice_is_listed_twice(photos: Path) -> None:
    assert _found("photos/b/2.JPG", "photos/a.tif", "photos/b/2.JPG") == [
        "photos/b/2.JPG",
        "photos/a.tif",
        "photos/b/2.JPG",
    ]


def test_a_named_file_is_an_image_whatever_its_name_even_if_missing(photos: Path) -> None:
    (photos / "notes.txt").rename(photos / "scan.old")
    assert _found("photos/scan.old", "nowhere.jpg", "photos/.hidden.jpg") == [
        "photos/scan.old",
        "nowhere.jpg",
        "photos/.hidden.jpg",
    ]


def test_globs_are_expanded(photos: Path) -> None:
    assert _found("photos/b/*.png", "photos/**/*.heic") == ["photos/b/1.png", "photos/b/c/deep.heic"]
    assert _found("photos/[ab]*") == ["photos/a.tif", "photos/b/1.png", "photos/b/2.JPG", "photos/b/c/deep.heic"]


def test_an_existing_file_with_brackets_is_not_a_glob(photos: Path) -> None:
    (photos / "leaf[1].jpg").touch()
    (photos / "leaf1.jpg").touch()
    assert _found("photos/leaf[1].jpg") == ["photos/leaf[1].jpg"]


def test_globs_without_a_match_and_unusable_tables_are_reported_together(photos: Path) -> None:
    Path("names.csv").write_text("file,name\na.jpg,x\n")
    Path("holes.csv").write_text('path,note\na.jpg,x\n"",y\n')
    with pytest.raises(UsageError) as error:
        find_inputs(["*.webp", "names.csv", "holes.csv", "photos"])
    message = str(error.value)
    assert "*.webp: no file matches" in message
    assert "names.csv: has no column path; it has file, name" in message
    assert "holes.csv:3: path is empty" in message


def test_nothing_to_identify_is_a_usage_error(photos: Path) -> None:
    Path("empty").mkdir()
    for arguments in ([], ["empty"]):
        with pytest.raises(UsageError, match="cannot be identified"):
            find_inputs(arguments)
    inputs = find_inputs(["empty", "photos/a.tif"])
    assert inputs.remarks == ("The folder empty contains no image.",)


@pytest.mark.parametrize(("start", "delimiter"), [("", ","), ("\ufeff", ";"), ("", "\t")])
def test_a_table_lists_images_relative_to_itself(photos: Path, start: str, delimiter: str) -> None:
    names = [" b/leading space.jpg", "komma, x.jpg", "https.jpg", "zeile\nzwei.jpg", "é.jpg"]
    rows = [f"id{delimiter}path", *(f'{n}{delimiter}"{name}"' for n, name in enumerate(names))]
    (photos / "list.csv").write_text(start + "\r\n".join(rows) + "\r\n", encoding="utf-8", newline="")
    assert _found("photos/list.csv") == [f"photos/{name}" for name in names]


def test_names_in_a_text_file_keep_separators_that_are_no_line_ends(photos: Path) -> None:
    names = ["a\u2028b.jpg", "a\x0bb.jpg", "a\x85b.jpg", "a\x1cb.jpg"]
    (photos / "list.txt").write_bytes("\n".join(names).encode())
    assert _found("photos/list.txt") == [f"photos/{name}" for name in names]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_files_list_one_image_on_each_line(photos: Path, encoding: str) -> None:
    (photos / "list.txt").write_text("b/2.JPG\r\n\r\nhttps://example.org/葉.jpg\r\n", encoding=encoding, newline="")
    assert _found("photos/list.txt") == ["photos/b/2.JPG", "https://example.org/葉.jpg"]
    (photos / "list.tsv").write_text("id\tpath\n1\tb/a, left.jpg\n", encoding=encoding)
    assert _found("photos/list.tsv") == ["photos/b/a, left.jpg"]


def test_a_picture_named_txt_is_a_picture(photos: Path) -> None:
    Image.new("L", (8, 8)).save(photos / "scan.txt", "PNG")
    assert _found("photos/scan.txt", "nowhere.txt") == ["photos/scan.txt", "nowhere.txt"]


def test_rows_of_another_length_and_two_columns_of_one_name_are_refused(photos: Path) -> None:
    Path("comma.csv").write_text("path\na.jpg\nb, left.jpg\n")
    Path("twice.csv").write_text("path,path\na.jpg,zz.jpg\n")
    Path("cut.csv").write_text("id,path\n1,a.jpg\n2\n")
    with pytest.raises(UsageError) as error:
        find_inputs(["comma.csv", "twice.csv", "cut.csv"])
    assert "comma.csv:3: 2 values, the header has 1" in str(error.value)
    assert "twice.csv has columns of the same name: 'path'" in str(error.value)
    assert "cut.csv:3: 1 value, the header has 2" in str(error.value)


def test_empty_cells_at_the_end_of_a_row_are_harmless(photos: Path) -> None:
    Path("wide.csv").write_text("path,note\na.jpg,x,,\n")
    assert _found("wide.csv") == ["a.jpg"]


def test_a_parquet_table_lists_images_relative_to_itself(photos: Path) -> None:
    names = ["b/2.JPG", "nowhere.jpg", "b/2.JPG"]
    pd.DataFrame({"id": range(3), "path": names}).to_parquet(photos / "list.parquet")
    assert _found("photos/list.parquet") == [f"photos/{name}" for name in names]


def test_unusable_parquet_tables_are_reported_together(photos: Path) -> None:
    pd.DataFrame({"file": ["a.jpg"]}).to_parquet("names.parquet")
    pd.DataFrame({"path": ["a.jpg", None]}).to_parquet("holes.parquet")
    pd.DataFrame({"path": [1, 2]}).to_parquet("numbers.parquet")
    Path("text.parquet").write_text("not parquet")
    with pytest.raises(UsageError) as error:
        find_inputs(["names.parquet", "holes.parquet", "numbers.parquet", "text.parquet", "gone.parquet"])
    message = str(error.value)
    assert "names.parquet: has no column path; it has file" in message
    assert "holes.parquet:2: path is empty" in message
    assert "numbers.parquet: its column path contains int, not text" in message
    assert "text.parquet: cannot be read as Parquet" in message
    assert "gone.parquet: cannot be read as Parquet: " in message and "No such file" in message


@pytest.mark.parametrize("separator", [b"\n", b"\r\n", b"\0"])
def test_standard_input_lists_images(photos: Path, monkeypatch: pytest.MonkeyPatch, separator: bytes) -> None:
    names = [b"photos/a.tif", b" space.jpg", b"\xff.jpg", b"photos/a.tif"]
    for end in (b"", separator):
        content = io.TextIOWrapper(io.BytesIO(separator.join(names) + end))
        monkeypatch.setattr("sys.stdin", content)
        assert _found("-", "photos/b/1.png") == [*map(os.fsdecode, names), "photos/b/1.png"]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfphotos/a.tif\r\nb.jpg\r\n",
        "photos/a.tif\r\nb.jpg\r\n".encode("utf-16"),
        "\ufeffphotos/a.tif\nb.jpg\n".encode("utf-16-be"),
        "photos/a.tif\r\nb.jpg\r\n".encode("utf-16-le"),
    ],
)
def test_standard_input_of_windows_programs(photos: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert _found("-") == ["photos/a.tif", "b.jpg"]


def test_a_file_named_like_standard_input_is_a_file(photos: Path) -> None:
    assert _found("./-") == ["-"]


def test_an_empty_standard_input_and_empty_lines_are_reported(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for content, message in [(b"", "standard input: contains no path"), (b"a.jpg\n\nb.jpg\n", "line 2: is empty")]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        with pytest.raises(UsageError, match=message):
            find_inputs(["-"])


@given(st.integers(0, 50), st.integers(1, 20))
def test_shards_divide_the_list_into_equal_parts(length: int, parts: int) -> None:
    paths = [Path(str(number)) for number in range(length)]
    shards = [select_shard(paths, f"{number}/{parts}") for number in range(1, parts + 1)]
    assert [path for shard in shards for path in shard] == paths
    assert {len(shard) for shard in shards} <= {length // parts, length // parts + 1}


@given(st.lists(st.text()), st.integers(-9, 9), st.integers(-9, 9))
def test_a_list_of_names_is_as_any_list(names: list[str], first: int, end: int) -> None:
    compact = NameList([*names, "\udcff.jpg"])
    assert list(compact) == [*names, "\udcff.jpg"] and compact[-1] == "\udcff.jpg"
    assert compact[first:end] == tuple([*names, "\udcff.jpg"][first:end])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from Linux")
def test_a_shard_of_many_names_takes_little_memory() -> None:
    program = """
import re
from pathlib import Path
from leafid.identify import find_inputs
peak = lambda: int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
find_inputs(["a.jpg"])
before = peak()
assert len(find_inputs(["-"], shard="3/16").paths) == 25_000
print((peak() - before) / 400_000)
"""
    # So many that modules imported in between, a few megabytes, hardly count. A list of strings takes 184 bytes.
    typed = "".join(f"/data/herbarium/images/{number:09}/specimen-{number:08}.jpg\n" for number in range(400_000))
    done = subprocess.run([sys.executable, "-c", program], input=typed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 165, "bytes for each name"


@pytest.mark.parametrize("wrong", ["9" * 5000 + "/1", "", "3", "0/4", "5/4", "1/0", "-1/4", "1/2/3", "a/b"])
def test_invalid_shards_are_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match="such as 3/16"):
        select_shard([], wrong)


def test_folders_of_systems_are_left_out_unless_they_are_named(photos: Path) -> None:
    for name in ("@eaDir/a.tif/THUMB_M.jpg", "$RECYCLE.BIN/S-1-5/$R1.jpg", "#recycle/old.jpg", ".trash/x.jpg"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).touch()
    inputs = find_inputs(["photos"])
    assert len(inputs.paths) == 4
    assert "5 hidden or system files and folders left out." in inputs.remarks
    assert _found("photos/$RECYCLE.BIN") == ["photos/$RECYCLE.BIN/S-1-5/$R1.jpg"]


def test_links_are_followed_and_loops_are_not(photos: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "z.jpg").touch()
    (photos / "linked").symlink_to(elsewhere)
    (photos / "b" / "up").symlink_to(photos)
    (photos / "self").symlink_to("self")
    (photos / "self.jpg").symlink_to("self.jpg")
    inputs = find_inputs(["photos"])
    assert "photos/linked/z.jpg" in inputs.paths
    assert "photos/self.jpg" in inputs.paths
    assert len(inputs.paths) == 6 and inputs.repeated_folders == 1
    assert "1 folder reached again through a link and searched once." in inputs.remarks


def test_a_subfolder_with_an_image_extension_is_searched_and_listed_if_empty(photos: Path) -> None:
    (photos / "full.jpg").mkdir()
    (photos / "full.jpg" / "inside.jpg").touch()
    (photos / "hollow.jpg").mkdir()
    found = _found("photos")
    assert "photos/full.jpg/inside.jpg" in found and "photos/full.jpg" not in found
    assert "photos/hollow.jpg" in found


def test_undecodable_names_are_found(photos: Path) -> None:
    name = b"photos/\xff\xfe.jpg"
    with open(name, "wb"):
        pass
    assert os.fsdecode(name) in _found("photos")


def test_each_page_of_a_tiff_is_listed(photos: Path) -> None:
    scan = photos / "book.tif"
    Image.new("L", (8, 8)).save(scan, save_all=True, append_images=[Image.new("L", (8, 8))])
    Image.new("L", (8, 8)).save(photos / "one.TIFF")
    Path("list.csv").write_text("path\nphotos/one.TIFF\nphotos/book.tif\n")
    pages = ["photos/book.tif#page=1", "photos/book.tif#page=2"]
    assert _found("photos/book.tif") == pages
    assert _found("list.csv") == ["photos/one.TIFF", *pages]
    (photos / "book.jpg").write_bytes(scan.read_bytes())
    assert _found("photos/book.jpg") == ["photos/book.jpg#page=1", "photos/book.jpg#page=2"]
    (photos / "book.jpg").unlink()
    assert _found("photos/book.tif#page=2") == ["photos/book.tif#page=2"]
    inputs = find_inputs(["photos"])
    assert inputs.paths[0] == "photos/a.tif" and inputs.paths[4:] == (*pages, "photos/one.TIFF")
    assert (
        inputs.multipage_files == 1
        and "1 TIFF file with several pages; each page has its own record." in inputs.remarks
    )


@pytest.mark.timeout(20)
def test_listing_does_not_wait_for_pipes(photos: Path) -> None:
    os.mkfifo(photos / "b" / "pipe.jpg")  # an ordinary open would wait
    os.mkfifo(photos / "b" / "pipe.tif")
    (photos / "b" / "locked.tif").symlink_to("nowhere.tif")
    assert len(find_inputs(["photos"]).paths) == 7


def test_web_addresses_are_neither_globs_nor_folders(photos: Path) -> None:
    address = "https://example.org/iiif/leaf[1]/full/!400,400/0/default.jpg?a=*"
    assert _found(address, "photos/a.tif") == [address, "photos/a.tif"]


@pytest.mark.parametrize("name", ["nowhere", "photos/nowhere/", "photos.2024/"])
def test_a_folder_that_does_not_exist_is_a_mistake(photos: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"{name}: there is no such folder"):
        _found("photos/a.tif", name)
