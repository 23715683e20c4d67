"""Bundles as one .zip file: packed to be sent, and unpacked safely, since the file may be a stranger's.

What a zip file claims is checked before memory or disk is taken for it: the number of its members before its directory
is read, their names, kinds and sizes before one is unpacked. Names are those of a bundle, so that none leads out of the
folder. What is unpacked is read as a bundle before it gets its name in the cache, so that nothing half or damaged is
found there.
"""

import re
import shutil
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO
from uuid import uuid4

from leafid.bundle.folder import (
    CARD,
    INFO,
    REFERENCE_TABLE,
    REFERENCES,
    THUMBNAILS,
    WEIGHTS,
    read_bundle_folder,
)
from leafid.caches import user_caches
from leafid.errors import BundleError
from leafid.files import sha256_of, written_atomically
from leafid.zip_files import DAMAGE, TooManyMembersError, check_member_count

MAX_MEMBERS = 1000
"""Largest number of members of a zip file; a bundle with all engines has 20."""

MAX_BYTES = 4_000_000_000
"""Largest size of an unpacked bundle, and of a packed one; the largest network in use has 1.3 GB."""

MAX_THUMBNAILS, MAX_THUMBNAIL_BYTES = 100_000, 1_000_000
"""Largest number of thumbnails in a bundle, and largest size of one in bytes; leafid writes them with about 5 kB."""

_FILES = (INFO, WEIGHTS, CARD, REFERENCES, REFERENCE_TABLE, THUMBNAILS)
MEMBER = re.compile(rf"(?:{'|'.join(map(re.escape, _FILES))})|engines/[A-Za-z0-9][\w-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
"""Names of the files that travel with a bundle; no such name leads out of its folder."""

_FOREIGN = re.compile(r"(?:.*/)?(?:__MACOSX/.*|\.DS_Store|\._[^/]*|Thumbs\.db|desktop\.ini)", re.DOTALL)
"""What systems add to a zip file; left out."""

_COPY = 1_000_000
_DATE = (1980, 1, 1, 0, 0, 0)  # the same bundle gives the same zip file, and the same hash


def is_zip(path: Path) -> bool:
    """Return whether a path names a packed bundle: a file that ends in ``.zip``."""
    return path.suffix.lower() == ".zip" and path.is_file()


def is_packed_bundle(path: Path) -> bool:
    """Return whether a file is a zip file with the members of a bundle."""
    try:
        with _opened(path) as packed:
            return bool(_checked_members(path, packed))
    except BundleError:
        return False


def bundle_members(folder: Path) -> list[str]:
    """Return the names of the files of a bundle that travel with it, relative to its folder, sorted."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if MEMBER.fullmatch(name))


def pack_bundle(path: Path, output: Path) -> str:
    """Write a bundle into a zip file, atomically. Return the SHA-256 of the zip file.

    The same bundle gives the same bytes. Weights are stored as they are, since they cannot be compressed.

    Args:
        path: a bundle, or a run that holds one; it is checked first.
        output: the zip file.

    Raises:
        BundleError: the bundle is missing or damaged.
        OutputError: the file cannot be written.
    """
    folder = read_bundle_folder(path).folder
    with written_atomically(output) as temporary, zipfile.ZipFile(temporary, "w") as packed:
        for name in bundle_members(folder):
            text = Path(name).suffix in (".json", ".csv", ".md", ".xml")
            member = zipfile.ZipInfo(name, _DATE)
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            member.compress_type = zipfile.ZIP_DEFLATED if text else zipfile.ZIP_STORED
            member.file_size = (folder / name).stat().st_size  # by which members of over 2 GB are written as ZIP64
            with (folder / name).open("rb") as source, packed.open(member, "w") as target:
                shutil.copyfileobj(source, target, _COPY)
    return sha256_of(output)


def unpacked_in_cache(path: Path) -> Path:
    """Return the folder of a packed bundle in the user's cache; it is unpacked there once.

    The folder is ``leafid/bundles`` in the cache and named by the SHA-256 of the zip file.

    Raises:
        BundleError: the zip file cannot be read, is damaged, harmful or no bundle, or the cache cannot be written.
    """
    try:
        folder = cached_bundle(sha256_of(path))
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror or error}.") from None
    if not folder.is_dir():
        unpack_bundle(path, folder)
    return folder


def cached_bundle(sha256: str) -> Path:
    """Return the folder in the user's cache for the packed bundle of this hash; it may not exist yet.

    Raises:
        BundleError: the user has no folder for caches.
    """
    try:
        return user_caches() / "leafid" / "bundles" / sha256
    except RuntimeError:
        raise BundleError(
            "A packed bundle is unpacked into the user's cache, but this user has no home. Set XDG_CACHE_HOME, or "
            "unpack it with `leafid bundle unpack`."
        ) from None


def unpack_bundle(path: Path, folder: Path) -> None:
    """Unpack a bundle into a new folder, all at once, after checking that it is whole.

    Args:
        path: the zip file; the bundle is at its top or in one folder.
        folder: must not exist; missing parent folders are made.

    Raises:
        BundleError: the zip file cannot be read, is damaged, harmful or no bundle, or the folder cannot be written.
    """
    partial = folder.with_name(f".{folder.name}.{uuid4().hex}.partial")  # several machines may share the cache
    with _opened(path) as packed:
        members = _checked_members(path, packed)
        try:
            partial.mkdir(parents=True)
            _check_space(path, partial, sum(info.file_size for info in members.values()))
            for name, info in members.items():
                (partial / name).parent.mkdir(parents=True, exist_ok=True)
                with packed.open(info) as source, (partial / name).open("xb") as target:
                    _copy(source, target, info.file_size)
            read_bundle_folder(partial)
            check_thumbnails(partial)
            try:
                partial.rename(folder)
            except OSError:
                if not folder.is_dir():  # else another process was faster
                    raise
        except BundleError as error:
            raise BundleError(f"{path}: {str(error).replace(str(partial), 'the bundle in it')}") from None
        except DAMAGE as error:
            raise BundleError(f"{path} is damaged: {error}. Copy it again.") from None
        except OSError as error:
            raise BundleError(f"{path} cannot be unpacked into {folder}: {error.strerror or error}.") from None
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def check_thumbnails(folder: Path) -> None:
    """Check that the thumbnails of a stranger's bundle are as few and as small as those that leafid writes.

    Raises:
        BundleError: they are not, or their file is damaged.
    """
    path = folder / THUMBNAILS
    if path.is_file():
        with _opened(path, MAX_THUMBNAILS) as thumbnails:
            if (largest := max((info.file_size for info in thumbnails.infolist()), default=0)) > MAX_THUMBNAIL_BYTES:
                raise BundleError(f"{path} is refused: a thumbnail would have {largest:,} bytes.")


def thumbnail_names(folder: Path) -> frozenset[str]:
    """Return the ``image_id`` of the specimens that a bundle has a thumbnail of; none if their file is damaged."""
    try:
        with _opened(folder / THUMBNAILS, MAX_THUMBNAILS) as thumbnails:
            return frozenset(name.removesuffix(".jpg") for name in thumbnails.namelist())
    except BundleError:
        return frozenset()


def read_thumbnail(folder: Path, image_id: str) -> bytes | None:
    """Return the thumbnail of a specimen as JPEG; None if the bundle has none of it, or none of leafid's."""
    try:
        with _opened(folder / THUMBNAILS, MAX_THUMBNAILS) as thumbnails:
            info = thumbnails.getinfo(f"{image_id}.jpg")
            return thumbnails.read(info) if info.file_size <= MAX_THUMBNAIL_BYTES else None
    except (BundleError, KeyError):
        return None


@contextmanager
def _opened(path: Path, most: int = MAX_MEMBERS) -> Iterator[zipfile.ZipFile]:
    """Open a zip file after checking, by its last bytes, that its directory fits into memory."""
    try:
        with path.open("rb") as opened:
            check_member_count(opened, most)
            with zipfile.ZipFile(opened) as packed:
                yield packed
    except TooManyMembersError as error:
        raise BundleError(f"{path} has {error.count:,} members; a bundle has at most {most:,}.") from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror or error}.") from None
    except DAMAGE as error:
        raise BundleError(f"{path} is no zip file, or is damaged ({error}). Copy it again.") from None


def _checked_members(path: Path, packed: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the members that a bundle has, by name relative to it.

    Raises:
        BundleError: it has no bundle, or a member is of a kind or size that no bundle has.
    """
    infos = [info for info in packed.infolist() if not info.is_dir() and not _FOREIGN.fullmatch(info.filename)]
    if len(packed.infolist()) > MAX_MEMBERS:
        raise BundleError(f"{path} has {len(packed.infolist()):,} members; a bundle has at most {MAX_MEMBERS:,}.")
    descriptions = [info.filename for info in infos if re.fullmatch(rf"(?:[^/\\]+/)?{re.escape(INFO)}", info.filename)]
    if len(descriptions) != 1:
        found = "no" if not descriptions else str(len(descriptions))
        raise BundleError(f"{path} is not a bundle: it has {found} {INFO}. `leafid bundle pack BUNDLE` writes one.")
    top = descriptions[0].removesuffix(INFO)
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = info.filename.removeprefix(top) if info.filename.startswith(top) else info.filename
        if not MEMBER.fullmatch(name):
            raise BundleError(f"{path} is refused: it has the member {info.filename[:100]!r}, which no bundle has.")
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise BundleError(f"{path} is refused: its member {name} is a link or a device, and not a file.")
        if info.flag_bits & 1:
            raise BundleError(f"{path} is encrypted. Ask for a bundle without a password.")
        if name in members:
            raise BundleError(f"{path} is refused: it has two members {name}.")
        members[name] = info
    if (total := sum(info.file_size for info in infos)) > MAX_BYTES:
        raise BundleError(f"{path} would have {total / 1e9:.1f} GB unpacked; a bundle has at most {MAX_BYTES / 1e9:g}.")
    return members


def _check_space(path: Path, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BundleError(f"{path} has {needed / 1e9:.1f} GB unpacked, but {folder.parent} has {free / 1e9:.1f} free.")


def _copy(source: IO[bytes], target: BinaryIO, size: int) -> None:
    """Copy a member; stop if it is longer than stated."""
    while block := source.read(_COPY):
        size -= len(block)
        if size < 0:
            raise zipfile.BadZipFile("a member is longer than stated")
        target.write(block)
