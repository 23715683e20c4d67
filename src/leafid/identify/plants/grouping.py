"""Which photos show the same plant: by their folder, by a column of their table, or by a pattern in their path."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leafid.errors import UsageError
from leafid.identify.inputs.given_columns import PREFIX, GivenColumns
from leafid.identify.inputs.memory_images import Photo
from leafid.identify.records import unicode_path
from leafid.sources import is_web_address

BY_FOLDER = "folder"
"""The value of ``--plant-by`` that puts the photos of a folder together."""

MAX_PHOTOS = 1000
"""Most photos of a plant; more are taken for a mistake, such as a folder of all plants."""

_PATTERN = re.compile(r"[\\()\[\]{}.*+?^$|]")
_LISTED = 5  # photos in a message


@dataclass(frozen=True)
class Plant:
    """A plant: its name and its photos, in order. A path or address that is given twice counts once."""

    name: str
    photos: tuple[Photo, ...]

    def __post_init__(self) -> None:
        """Leave out photos that are given again."""
        seen: set[str] = set()
        kept = []
        for photo in self.photos:
            if isinstance(photo, str | Path):
                if str(photo) in seen:
                    continue
                seen.add(str(photo))
            kept.append(photo)
        object.__setattr__(self, "photos", tuple(kept))


def group_photos(paths: Sequence[str], by: str, *, given: GivenColumns | None = None) -> tuple[Plant, ...]:
    r"""Put the photos of each plant together, in the order in which the plants first appear.

    >>> [(plant.name, plant.photos) for plant in group_photos(["a_1.jpg", "b_1.jpg", "a_2.jpg"], r"(.+)_\d\.jpg")]
    [('a', ('a_1.jpg', 'a_2.jpg')), ('b', ('b_1.jpg',))]

    Args:
        paths: files and web addresses, see ``find_inputs``.
        by: ``folder``: the folder that contains the photo. The name of a column of the tables that list the photos:
            its value in the row of the photo. Else a regular expression that is searched in the path, with ``/``
            between folders; the plant is its first group, or without groups all that matches.
        given: the columns of these tables, see ``Inputs.given``.

    Raises:
        UsageError: ``by`` is neither a column nor a pattern, or a photo belongs to no plant or to two.
    """
    plants: dict[str, list[str]] = {}
    plant_of: dict[str, str] = {}
    for path, as_written in zip(paths, _names(paths, by, given or GivenColumns()), strict=True):
        name = unicodedata.normalize("NFC", as_written)  # macOS and some programs decompose letters
        if plant_of.setdefault(path, name) != name:
            raise UsageError(
                f"--plant-by {by}: {unicode_path(path)} is a photo of two plants, {plant_of[path]} and {name}."
            )
        plants.setdefault(name, []).append(path)
    if huge := [f"{name}: {len(photos):,}" for name, photos in plants.items() if len(photos) > MAX_PHOTOS]:
        raise UsageError(
            f"--plant-by {by}: more than {MAX_PHOTOS:,} photos of one plant ({', '.join(huge[:_LISTED])}). Divide the "
            "photos in another way."
        )
    return tuple(Plant(name, tuple(photos)) for name, photos in plants.items())


def _names(paths: Sequence[str], by: str, given: GivenColumns) -> list[str]:
    if by == BY_FOLDER:
        if addresses := [path for path in paths if is_web_address(path)]:
            raise UsageError(
                f"--plant-by folder: {len(addresses)} of the photos are on the web ({addresses[0]} is the first), "
                "where there are no folders. Name a column of a table, or give a pattern."
            )
        return [unicode_path(str(Path(path).parent)) for path in paths]
    # A column with the name of a column of results, such as `plant`, is carried under another name.
    if (column := next((name for name in (by, f"{PREFIX}{by}") if name in given.names), None)) is not None:
        names = [(dict(given.of(position))[column] or "").strip() for position in range(len(paths))]
        _check_all(paths, names, f"--plant-by {by}", "no value in the column; fill it in")
        return names
    if not _PATTERN.search(by):
        columns = [name.removeprefix(PREFIX) for name in given.names if name != f"{PREFIX}path"]
        known = f", which have {', '.join(columns)}" if columns else ""
        raise UsageError(
            f"--plant-by {by}: give folder, a column of the tables{known}, or a regular expression with the plant in "
            r"brackets, such as '([^/]+)_\d+\.jpg$'."
        )
    return _by_pattern(paths, by)


def _by_pattern(paths: Sequence[str], pattern: str) -> list[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"--plant-by {pattern}: not a regular expression ({error}).") from None
    found = [compiled.search(Path(path).as_posix() if not is_web_address(path) else path) for path in paths]
    names = [unicode_path((match[1] if compiled.groups else match[0]) or "") if match else "" for match in found]
    _check_all(paths, names, f"--plant-by {pattern}", "no match in the path; change the pattern")
    return names


def _check_all(paths: Sequence[str], names: Sequence[str], option: str, problem: str) -> None:
    if lacking := [unicode_path(path) for path, name in zip(paths, names, strict=True) if not name.strip()]:
        more = f" and {len(lacking) - _LISTED} more" if len(lacking) > _LISTED else ""
        raise UsageError(f"{option}: {problem}: {', '.join(lacking[:_LISTED])}{more}.")
