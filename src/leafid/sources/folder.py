"""A folder of folders, each named by its taxon: the simplest source, and how most people keep their photos."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from leafid.errors import SourceError
from leafid.images import IMAGE_ENDINGS
from leafid.jobs import FolderSource
from leafid.sources.found import Failure, Found, FoundImage, SourceReason


def find_in_folder(source: FolderSource) -> Found:
    """Find the images of a folder of folders; images may lie at any depth below the folder of their taxon.

    Images directly in the outer folder have no taxon and are failures; files whose ending is not that of an image are
    counted in a note, as are taxon folders without images.

    Raises:
        SourceError: the outer folder does not exist, is no folder, or may not be read.
    """
    outer = source.path
    if not outer.exists():
        raise SourceError(
            f"sources: there is no folder {outer}. Relative paths start at the current folder, {Path.cwd()}."
        )
    if not outer.is_dir():
        raise SourceError(f"sources: {outer} is a file; `kind: folder` takes a folder of folders named by taxa.")
    found = Found()
    others: Counter[str] = Counter()
    for entry in _entries(outer):
        if entry.is_dir():
            images = _images_below(entry, others)
            if not images:
                found.notes.append(f"{entry}: no images in this folder")
            name = taxon_of_folder(entry.name)
            found.images += [FoundImage(image, str(outer), {"scientificName": name}) for image in images]
        elif _is_image(entry):
            detail = "lies outside the folders named by taxa; move it into the folder of its taxon"
            found.failures.append(Failure(str(entry), str(outer), SourceReason.NO_TAXON, detail))
        else:
            others[entry.suffix.lower()] += 1
    if others:
        found.notes.append(f"{outer}: {_counted(others)} no images by their ending")
    return found


def taxon_of_folder(name: str) -> str:
    """Return the taxon that a folder's name stands for: ``Mitragyna_speciosa`` is ``Mitragyna speciosa``."""
    return " ".join(name.replace("_", " ").split())


def _images_below(folder: Path, others: Counter[str]) -> list[Path]:
    """Images at any depth, in the order of their paths; other files are counted by ending. Links are followed once."""
    images: list[Path] = []
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        for file in sorted(files):
            path = Path(place) / file
            if _is_image(path):
                images.append(path)
            else:
                others[path.suffix.lower()] += 1
    return images


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(folder.iterdir())
    except OSError as error:
        _refuse(error)


def _refuse(error: OSError) -> None:
    raise SourceError(f"sources: the folder {error.filename} cannot be read: {error.strerror}.") from None


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_ENDINGS


def _counted(others: Counter[str]) -> str:
    total = sum(others.values())
    kinds = ", ".join(f"{count} x {ending or 'without ending'}" for ending, count in others.most_common(5))
    return f"{total} {'file is' if total == 1 else 'files are'} ({kinds})"
