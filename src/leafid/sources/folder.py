"""Source ``folder``: a folder of folders, each named by its taxon."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from leafid.catalog import SPLIT_WORDS
from leafid.errors import SourceError
from leafid.file_names import is_hidden_or_system
from leafid.images import IMAGE_EXTENSIONS
from leafid.jobs import FolderSource
from leafid.sources.source_result import Failure, SourceFailureReason, SourceImage, SourceResult


@dataclass
class _Remarks:
    """What was seen beside images: files by extension, and entries of the system that were left out, by name."""

    other_files: Counter[str] = field(default_factory=Counter)
    system: Counter[str] = field(default_factory=Counter)


def find_in_folder(source: FolderSource) -> SourceResult:
    """Find the images of a folder of folders; images may be at any depth below the folder of their taxon.

    If all folders are named train, val, test or the like, those inside are the taxa, and the outer name is the column
    ``split``. Hidden folders and those of systems are left out. Images directly in the outer folder have no taxon and
    are failures. Notes count the files without an image extension and name the taxon folders without images.

    Raises:
        SourceError: the outer folder does not exist, is not a folder, or may not be read; or folders of a split stand
            beside others.
    """
    outer = source.path
    if not outer.exists():
        raise SourceError(
            f"sources: there is no folder {outer}. Relative paths start at the current folder, {Path.cwd()}."
        )
    if not outer.is_dir():
        raise SourceError(f"sources: {outer} is a file; `kind: folder` takes a folder of folders named by taxa.")
    result, remarks = SourceResult(), _Remarks()
    entries = list(_entries(outer, remarks))
    splits = _split_folders([entry for entry in entries if entry.is_dir()], outer)
    stated: dict[str, str] = {"domain": source.domain} if source.domain else {}
    for entry in entries:
        if entry not in splits:
            _add_entry(entry, outer, stated, result, remarks)
            continue
        for inner in _entries(entry, remarks):
            _add_entry(inner, entry, stated | {"split": splits[entry]}, result, remarks)
    if splits:
        names = ", ".join(entry.name for entry in splits)
        result.notes.append(
            f"{outer}: its folders {names} are parts of a split, and the folders in them are the taxa. To train with "
            "this split, set `curation: {split: {by: column}}`; otherwise it is drawn anew"
        )
    if remarks.other_files:
        result.notes.append(f"{outer}: {_described(remarks.other_files)} without the extension of an image")
    if remarks.system:
        names = ", ".join(f"{name} ({count})" for name, count in remarks.system.most_common(5))
        result.notes.append(f"{outer}: hidden files and folders of systems are left out: {names}")
    return result


def _split_folders(folders: list[Path], outer: Path) -> dict[Path, str]:
    """Return train, val or test for each folder if the folders are those of a split, else nothing."""
    splits = {folder: SPLIT_WORDS[folder.name.lower()] for folder in folders if folder.name.lower() in SPLIT_WORDS}
    if not splits or len(splits) == len(folders):
        return splits
    others = ", ".join(folder.name for folder in folders if folder not in splits)
    raise SourceError(
        f"sources: {outer} has folders of a split ({', '.join(folder.name for folder in splits)}) beside others "
        f"({others[:200]}). Name folders by taxa only, or put the taxa into folders train, val and test."
    )


def _add_entry(entry: Path, outer: Path, values: dict[str, str], result: SourceResult, remarks: _Remarks) -> None:
    """Add the images of one folder of a taxon; an image beside such folders is a failure."""
    if entry.is_dir():
        images = _images_below(entry, remarks)
        if not images:
            result.notes.append(f"{entry}: no images in this folder")
        named = {"scientificName": taxon_of_folder(entry.name), **values}
        result.images += [SourceImage(image, str(outer), named) for image in images]
    elif _is_image(entry):
        detail = "is outside the folders named by taxa; move it into the folder of its taxon"
        result.failures.append(Failure(str(entry), str(outer), SourceFailureReason.NO_TAXON, detail))
    else:
        remarks.other_files[entry.suffix.lower()] += 1


def taxon_of_folder(name: str) -> str:
    """Return the taxon that a folder is named by: ``Mitragyna_speciosa`` is ``Mitragyna speciosa``."""
    return " ".join(unicodedata.normalize("NFC", name).replace("_", " ").split())


def _images_below(folder: Path, remarks: _Remarks) -> list[Path]:
    """List images at any depth in the order of their paths; count other files by extension; follow each link once."""
    images: list[Path] = []
    visited: set[str] = set()
    for current, folders, files in os.walk(folder, followlinks=True, onerror=_raise_source_error):
        real = os.path.realpath(current)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        remarks.system.update(name for name in (*folders, *files) if is_hidden_or_system(name))
        folders[:] = sorted(name for name in folders if not is_hidden_or_system(name))
        for file in sorted(name for name in files if not is_hidden_or_system(name)):
            path = Path(current) / file
            if _is_image(path):
                images.append(path)
            else:
                remarks.other_files[path.suffix.lower()] += 1
    return images


def _entries(folder: Path, remarks: _Remarks) -> Iterator[Path]:
    """Yield the entries of a folder but those of the system, which are counted."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        _raise_source_error(error)
        return
    remarks.system.update(entry.name for entry in entries if is_hidden_or_system(entry.name))
    yield from (entry for entry in entries if not is_hidden_or_system(entry.name))


def _raise_source_error(error: OSError) -> None:
    raise SourceError(f"sources: the folder {error.filename} cannot be read: {error.strerror}.") from None


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_EXTENSIONS


def _described(counts: Counter[str]) -> str:
    total = sum(counts.values())
    kinds = ", ".join(f"{count} x {extension or 'no extension'}" for extension, count in counts.most_common(5))
    return f"{total} {'file' if total == 1 else 'files'} ({kinds})"
