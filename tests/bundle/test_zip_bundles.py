"""A packed bundle is read like its folder; a damaged or harmful zip file is refused in one sentence, and not kept."""

import os
import shutil
import stat
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from leafid.bundle import (
    bundle_folder,
    check_is_bundle,
    describe_bundle,
    pack_bundle,
    read_bundle,
    read_thumbnail,
    thumbnail_names,
    unpack_bundle,
)
from leafid.bundle import zip_bundles as limits
from leafid.errors import BundleError, UsageError
from leafid.files import sha256_of
from tests.bundle.small_bundles import members_of, with_other_info, with_stated_size, write_small_bundle, zip_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a small bundle."""
    return write_small_bundle(tmp_path / "small")


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use an empty cache and return its folder of bundles."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return tmp_path / "caches" / "leafid" / "bundles"


def test_a_packed_bundle_is_read_like_its_folder(folder: Path, tmp_path: Path, caches: Path) -> None:
    sha256 = pack_bundle(folder, tmp_path / "sent.zip")
    packed = read_bundle(tmp_path / "sent.zip")
    assert packed.info == read_bundle(folder).info and packed.folder == caches / sha256
    assert members_of(packed.folder) == members_of(folder)
    assert os.listdir(caches) == [sha256]


def test_the_same_bundle_gives_the_same_zip_file(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    os.utime(copy / "bundle.json", (0, 0))
    assert pack_bundle(folder, tmp_path / "1.zip") == pack_bundle(copy, tmp_path / "2.zip")


def test_a_zip_file_is_unpacked_once(folder: Path, tmp_path: Path, caches: Path) -> None:
    pack_bundle(folder, tmp_path / "sent.zip")
    first = bundle_folder(tmp_path / "sent.zip")
    before = (first / "bundle.json").stat().st_mtime_ns
    assert bundle_folder(tmp_path / "sent.zip") == first and (first / "bundle.json").stat().st_mtime_ns == before
    (tmp_path / "other").mkdir()
    write_small_bundle(tmp_path / "other" / "b")
    (tmp_path / "other" / "b" / "MODEL_CARD.md").write_text("# Another\n")
    pack_bundle(tmp_path / "other" / "b", tmp_path / "sent.zip")
    assert bundle_folder(tmp_path / "sent.zip") != first


def test_a_zip_file_made_by_hand_is_read(folder: Path, tmp_path: Path, caches: Path) -> None:
    by_hand = {f"my bundle/{name}": content for name, content in members_of(folder).items()}
    by_hand |= {"my bundle/": b"", "__MACOSX/my bundle/._bundle.json": b"\0", "my bundle/.DS_Store": b"\0"}
    assert read_bundle(zip_of(tmp_path / "hand.zip", by_hand)).info == read_bundle(folder).info


def _trace(tmp_path: Path) -> list[str]:
    return [str(path) for path in (tmp_path / "caches").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../escaped.json", "has the member '../escaped.json', which no bundle has"),
        ("/etc/escaped.json", "has the member '/etc/escaped.json'"),
        ("engines/../../escaped.json", "has the member"),
        ("engines\\onnx\\x.bin", "has the member"),
        ("C:/escaped.json", "has the member"),
        ("setup.py", "has the member 'setup.py'"),
        ("engines/onnx/.hidden", "has the member"),
    ],
)
def test_names_that_no_bundle_has_are_refused(
    folder: Path, tmp_path: Path, caches: Path, name: str, message: str
) -> None:
    harmful = zip_of(tmp_path / "harmful.zip", members_of(folder) | {name: b"{}"})
    with pytest.raises(BundleError) as error:
        read_bundle(harmful)
    assert message in str(error.value) and str(error.value).count("\n") == 0
    assert not _trace(tmp_path) and not list(tmp_path.rglob("escaped*"))


def test_links_are_refused(folder: Path, tmp_path: Path, caches: Path) -> None:
    members = members_of(folder)
    with zipfile.ZipFile(tmp_path / "links.zip", "w") as packed:
        for name, content in members.items():
            member = zipfile.ZipInfo(name)
            if name == "MODEL_CARD.md":
                member.external_attr, content = (stat.S_IFLNK | 0o777) << 16, b"/etc/passwd"
            packed.writestr(member, content)
    with pytest.raises(BundleError, match=r"its member MODEL_CARD\.md is a link or a device"):
        read_bundle(tmp_path / "links.zip")
    assert not _trace(tmp_path)


def test_two_members_of_one_name_are_refused(folder: Path, tmp_path: Path, caches: Path) -> None:
    zip_of(tmp_path / "twice.zip", members_of(folder))
    with zipfile.ZipFile(tmp_path / "twice.zip", "a") as packed, pytest.warns(UserWarning, match="Duplicate"):
        packed.writestr("MODEL_CARD.md", "another")
    with pytest.raises(BundleError, match=r"has two members MODEL_CARD\.md"):
        read_bundle(tmp_path / "twice.zip")


def test_sizes_are_checked_before_disk_is_taken(
    folder: Path, tmp_path: Path, caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = zip_of(tmp_path / "bomb.zip", members_of(folder) | {"thumbnails.zip": b"\0" * 5_000_000})
    assert bomb.stat().st_size < 20_000
    monkeypatch.setattr(limits, "MAX_BYTES", 4_000_000)
    with pytest.raises(BundleError, match=r"would have 0\.0 GB unpacked; a bundle has at most"):
        read_bundle(bomb)
    assert not _trace(tmp_path)


def test_a_member_longer_than_stated_is_stopped(folder: Path, tmp_path: Path, caches: Path) -> None:
    bomb = zip_of(tmp_path / "bomb.zip", members_of(folder) | {"thumbnails.zip": b"\0" * 5_000_000})
    with pytest.raises(BundleError, match=r"bomb\.zip is damaged|is no zip file, or is damaged"):
        read_bundle(with_stated_size(bomb, "thumbnails.zip", 1000))
    assert not _trace(tmp_path)


def test_a_disk_that_is_too_full_is_said(
    folder: Path, tmp_path: Path, caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack_bundle(folder, tmp_path / "sent.zip")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(BundleError, match=r"GB unpacked, but .* has 0\.0 free"):
        read_bundle(tmp_path / "sent.zip")
    assert not _trace(tmp_path)


def test_a_directory_of_a_million_members_takes_no_memory(tmp_path: Path) -> None:
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    entries = 400_000
    directory = entry * entries
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, len(directory), 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(directory), 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path = tmp_path / "many.zip"
    path.write_bytes(directory + end64 + locator + end)
    program = (
        "import sys; from pathlib import Path; from leafid.bundle import unpack_bundle\n"
        "from leafid.errors import BundleError\n"
        "import re\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s*(\\d+)', Path('/proc/self/status').read_text())[1])\n"
        "before = peak()\n"
        "try: unpack_bundle(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except BundleError as error: print(error, peak() - before, sep='|')\n"
    )
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc, which only Linux has")
    words = [sys.executable, "-c", program, str(path), str(tmp_path / "out")]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    message, kilobytes = printed.rsplit("|", 1)
    assert "400,000 members; a bundle has at most 1,000" in message and int(kilobytes) < 10_000


def test_thumbnails_that_would_fill_the_memory_are_refused(folder: Path, tmp_path: Path, caches: Path) -> None:
    small = zip_of(tmp_path / "small.zip", {"a.jpg": b"\xff\xd8"}).read_bytes()
    read_bundle(zip_of(tmp_path / "good.zip", members_of(folder) | {"thumbnails.zip": small}))
    before = _trace(tmp_path)
    large = zip_of(tmp_path / "large.zip", {"a.jpg": b"\0" * 30_000_000}).read_bytes()
    with pytest.raises(BundleError, match=r"thumbnails\.zip is refused: a thumbnail would have 30,000,000 bytes"):
        read_bundle(zip_of(tmp_path / "bad.zip", members_of(folder) | {"thumbnails.zip": large}))
    with pytest.raises(BundleError, match=r"thumbnails\.zip is no zip file, or is damaged"):
        read_bundle(zip_of(tmp_path / "text.zip", members_of(folder) | {"thumbnails.zip": b"text"}))
    assert _trace(tmp_path) == before


def test_thumbnails_in_a_folder_are_read_one_by_one_and_none_that_is_damaged(tmp_path: Path) -> None:
    thumbnails = zip_of(tmp_path / "thumbnails.zip", {"a.jpg": b"\xff\xd8", "large.jpg": b"\0" * 30_000_000})
    assert thumbnail_names(tmp_path) == {"a", "large"}
    assert read_thumbnail(tmp_path, "a") == b"\xff\xd8"
    assert read_thumbnail(tmp_path, "large") is None and read_thumbnail(tmp_path, "missing") is None
    content = thumbnails.read_bytes()
    for damaged in (content.replace(b"\x08\x00", b"\x63\x00"), content.replace(b"\0\0\x08", b"\1\0\x08"), b"text", b""):
        thumbnails.write_bytes(damaged)
        assert read_thumbnail(tmp_path, "a") is None
    thumbnails.unlink()
    assert thumbnail_names(tmp_path) == frozenset() and read_thumbnail(tmp_path, "a") is None


@pytest.mark.parametrize("cut", [0, 1, 100, 0.5, -1, -30])
def test_a_cut_zip_file_is_refused(folder: Path, tmp_path: Path, caches: Path, cut: float) -> None:
    pack_bundle(folder, tmp_path / "sent.zip")
    content = (tmp_path / "sent.zip").read_bytes()
    (tmp_path / "sent.zip").write_bytes(content[: int(len(content) * cut) if isinstance(cut, float) else cut])
    with pytest.raises(BundleError, match="Copy it again"):
        read_bundle(tmp_path / "sent.zip")
    assert not _trace(tmp_path)


def test_changed_bytes_are_found_before_the_bundle_is_in_the_cache(folder: Path, tmp_path: Path, caches: Path) -> None:
    pack_bundle(folder, tmp_path / "sent.zip")
    content = bytearray((tmp_path / "sent.zip").read_bytes())
    content[content.index((folder / "model.safetensors").read_bytes()) + 10] ^= 1
    (tmp_path / "sent.zip").write_bytes(content)
    with pytest.raises(BundleError, match="is damaged"):
        read_bundle(tmp_path / "sent.zip")
    assert not _trace(tmp_path)
    wrong = zip_of(tmp_path / "wrong.zip", with_other_info(folder, weights_sha256="0" * 64))
    with pytest.raises(BundleError, match=r"wrong\.zip: the bundle in it is damaged: model\.safetensors is not the"):
        read_bundle(wrong)
    assert not _trace(tmp_path)


def test_zip_files_without_a_bundle_are_refused(folder: Path, tmp_path: Path, caches: Path) -> None:
    for members, found in (({"a.jpg": b""}, "no"), ({"a/bundle.json": b"", "b/bundle.json": b""}, "2")):
        with pytest.raises(BundleError, match=rf"is not a bundle: it has {found} bundle\.json"):
            read_bundle(zip_of(tmp_path / "other.zip", members))
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(BundleError, match="is no zip file, or is damaged"):
        read_bundle(tmp_path / "text.zip")
    newer = zip_of(tmp_path / "newer.zip", with_other_info(folder, schema_version=99, leafid_version="7.0"))
    with pytest.raises(BundleError, match=r"was written by leafid 7\.0 .* Update leafid"):
        read_bundle(newer)


def test_encrypted_zip_files_are_refused(folder: Path, tmp_path: Path, caches: Path) -> None:
    pack_bundle(folder, tmp_path / "sent.zip")
    content = bytearray((tmp_path / "sent.zip").read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "sent.zip").write_bytes(content)
    with pytest.raises(BundleError, match=r"is encrypted\. Ask for a bundle without"):
        read_bundle(tmp_path / "sent.zip")


def test_all_files_can_be_read_by_the_group(folder: Path, tmp_path: Path) -> None:
    program = (
        "import os; os.umask(0o027)\n"
        "from pathlib import Path; from leafid.bundle import pack_bundle, unpack_bundle\n"
        f"here = Path({str(tmp_path)!r})\n"
        "pack_bundle(here / 'small', here / 'sent.zip'); unpack_bundle(here / 'sent.zip', here / 'out')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    for path in (tmp_path / "sent.zip", tmp_path / "out", *(tmp_path / "out").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o750 if path.is_dir() else 0o640), path


def test_an_unpacked_bundle_does_not_replace_a_folder(folder: Path, tmp_path: Path) -> None:
    pack_bundle(folder, tmp_path / "sent.zip")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("mine")
    unpack_bundle(tmp_path / "sent.zip", tmp_path / "new" / "bundle")
    assert members_of(tmp_path / "new" / "bundle") == members_of(folder)
    finished = _leafid("bundle", "unpack", str(tmp_path / "sent.zip"), "-o", str(tmp_path / "mine"))
    assert finished.returncode == 2 and "is never replaced" in finished.stderr
    assert os.listdir(tmp_path / "mine") == ["diary.txt"]


def _leafid(*words: str) -> subprocess.CompletedProcess[str]:
    program = "import sys; from leafid.cli import main; sys.argv[0] = 'leafid'; main()"
    return subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)


def test_the_commands_describe_pack_and_unpack(folder: Path, tmp_path: Path) -> None:
    packed = tmp_path / "sent.zip"
    finished = _leafid("bundle", "pack", str(folder), "-o", str(packed))
    assert finished.stdout.splitlines()[1].endswith(f"https://HOST/sent.zip#sha256={sha256_of(packed)}")
    again = _leafid("bundle", "pack", str(folder), "-o", str(packed))
    assert again.returncode == 2 and "--force" in again.stderr
    assert _leafid("bundle", "pack", str(folder), "-o", str(packed), "--force").returncode == 0
    described = _leafid("bundle", "info", str(packed)).stdout
    assert "2: Coffea canephora, Mitragyna speciosa" in described and "1,200 train, 30 val" in described
    assert "never: its probabilities are not reliable" in described
    assert "engines          onnx, torch, which needs leafid[train]" in described
    assert described.splitlines()[1:] == describe_bundle(read_bundle(packed)).splitlines()[1:]
    assert '"name": "small"' in _leafid("bundle", "info", str(packed), "--json").stdout
    assert "small@" in _leafid("bundle", "unpack", str(packed), "-o", str(tmp_path / "new")).stdout


def test_packing_a_bundle_without_engine_says_what_others_need(folder: Path, tmp_path: Path) -> None:
    assert "leafid[train]" not in _leafid("bundle", "pack", str(folder), "-o", str(tmp_path / "with.zip")).stdout
    shutil.rmtree(folder / "engines")
    finished = _leafid("bundle", "pack", str(folder), "-o", str(tmp_path / "without.zip"))
    assert f"Others need leafid[train] to use it. So that they do not: leafid export {folder}" in finished.stdout
    assert "engines          torch, which needs" in describe_bundle(read_bundle(folder))


def test_a_zip_file_counts_as_a_bundle_where_arguments_are_checked(folder: Path, tmp_path: Path) -> None:
    pack_bundle(folder, tmp_path / "sent.zip")
    check_is_bundle(tmp_path / "sent.zip", others=[folder])
    with pytest.raises(UsageError, match="Name the bundle first"):
        check_is_bundle(tmp_path / "photos", others=[folder])
