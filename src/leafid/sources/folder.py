"""Source ``folder``: a folder of folders, each named by its taxon."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from leafid.errors import SourceError
from leafid.images import IMAGE_EXTENSIONS
from leafid.jobs import FolderSource
from leafid.sources.source_result import Failure, SourceFailureReason, SourceImage, SourceResult


def find_in_folder(source: FolderSource) -> SourceResult:
    """Find the images of a folder of folders; images may be at any depth below the folder of their taxon.

    Images directly in the outer folder have no taxon and are failures. Notes count the files without an image extension
    and name the taxon folders without images.

    Raises:
        SourceError: the outer folder does not exist, is not a folder, or may not be read.
    """
    outer = source.path
    if not outer.exists():
        raise SourceError(
            f"sources: there is no folder {outer}. Relative paths start at the current folder, {Path.cwd()}."
        )
    if not outer.is_dir():
        raise SourceError(f"sources: {outer} is a file; `kind: folder` takes a folder of folders named by taxa.")
    result = SourceResult()
    other_files: Counter[str] = Counter()
    for entry in _entries(outer):
        if entry.is_dir():
            images = _images_below(entry, other_files)
            if not images:
                result.notes.append(f"{entry}: no images in this folder")
            name = taxon_of_folder(entry.name)
            result.images += [SourceImage(image, str(outer), {"scientificName": name}) for image in images]
        elif _is_image(entry):
            detail = "is outside the folders named by taxa; move it into the folder of its taxon"
            result.failures.append(Failure(str(entry), str(outer), SourceFailureReason.NO_TAXON, detail))
        else:
            other_files[entry.suffix.lower()] += 1
    if other_files:
        result.notes.append(f"{outer}: {_described(other_files)} without the extension of an image")
    return result


def taxon_of_folder(name: str) -> str:
    """Return the taxon that a folder is named by: ``Mitragyna_speciosa`` is ``Mitragyna speciosa``."""
    return " ".join(name.replace("_", " ").split())


def _images_below(folder: Path, other_files: Counter[str]) -> list[Path]:
    """List images at any depth in the order of their paths; count other files by extension; follow each link once."""
    images: list[Path] = []
    visited: set[str] = set()
    for current, folders, files in os.walk(folder, followlinks=True, onerror=_raise_source_error):
        real = os.path.realpath(current)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders.sort()
        for file in sorted(files):
            path = Path(current) / file
            if _is_image(path):
                images.append(path)
            else:
                other_files[path.suffix.lower()] += 1
    return images


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(folder.iterdir())
    except OSError as error:
        _raise_source_error(error)


def _raise_source_error(error: OSError) -> None:
    raise SourceError(f"sources: the folder {error.filename} cannot be read: {error.strerror}.") from None


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_EXTENSIONS


def _described(counts: Counter[str]) -> str:
    total = sum(counts.values())
    kinds = ", ".join(f"{count} x {extension or 'no extension'}" for extension, count in counts.most_common(5))
    return f"{total} {'file' if total == 1 else 'files'} ({kinds})"
