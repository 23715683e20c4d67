"""The columns of tables that name images, such as catalogue numbers, which are carried through to every output."""

import json
from collections.abc import Container, Iterable, Mapping, Sequence

from leafid.identify.inputs.name_list import NameList
from leafid.identify.record_reading import RENAMED_COLUMNS
from leafid.identify.records import COLUMN_NAMES

PREFIX = "input_"
"""Begins the name of a given column that would otherwise have the name of a column of the result."""


def carried_name(name: str, taken: Container[str]) -> str:
    """Return the name under which a given column is carried: its own, with ``PREFIX`` as often as it is taken."""
    while name in taken:
        name = PREFIX + name
    return name


def carried_names(header: Sequence[str]) -> tuple[str, ...]:
    """Return the names under which the columns of a table are carried through to results.

    A column of a result's name, such as ``path`` or ``status``, gets ``PREFIX``; so does one that had this name in
    earlier versions. White space becomes single spaces; a column without a name is called ``input_`` and its number.

    Args:
        header: unique names of all columns of the table.
    """
    names: dict[str, None] = dict.fromkeys((*COLUMN_NAMES, *RENAMED_COLUMNS))
    taken = len(names)
    for number, column in enumerate(header, start=1):
        names[carried_name(" ".join(column.split()) or f"{PREFIX}{number}", names)] = None
    return tuple(names)[taken:]


class GivenColumns:
    """Names and values of the given columns, by the position of an image in ``Inputs.paths``.

    Several tables may have different columns: an image has all of them, and those that its table lacks are missing.
    """

    def __init__(self) -> None:
        self._names: dict[str, None] = {}  # an ordered set
        self._rows = NameList()  # JSON text of each image's values, empty without any

    @property
    def names(self) -> tuple[str, ...]:
        """The names in order; empty if no table has further columns."""
        return tuple(self._names)

    def add(self, position: int, values: Mapping[str, str | None]) -> None:
        """Set the values of the image at a position, which is above those that have values already."""
        self._names |= dict.fromkeys(values)
        present = {name: value for name, value in values.items() if value is not None}
        self._fill(position)
        self._rows.append(json.dumps(present, ensure_ascii=False) if present else "")

    def of(self, position: int) -> tuple[tuple[str, str | None], ...]:
        """Return name and value of each column for an image; a missing value is None."""
        if not self._names:
            return ()
        text = self._rows[position] if position < len(self._rows) else ""
        values = json.loads(text) if text else {}
        return tuple((name, values.get(name)) for name in self._names)

    def _fill(self, number: int) -> None:
        """Add images without values up to this number of images."""
        for _ in range(len(self._rows), number):
            self._rows.append("")

    def selected(self, positions: Iterable[int]) -> "GivenColumns":
        """Return the values of some images, in this order; a position may be repeated."""
        chosen = GivenColumns()
        if self._names:
            chosen._names = dict(self._names)
            for position in positions:
                chosen._rows.append(self._rows[position] if position < len(self._rows) else "")
        return chosen


class GivenByPath:
    """The given columns of photos by their path, for records of plants, which come in another order."""

    def __init__(self, paths: Sequence[str], given: GivenColumns) -> None:
        self._given = given
        self._positions = {path: position for position, path in reversed(list(enumerate(paths)))} if given.names else {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names in order; empty if no table has further columns."""
        return self._given.names

    def of(self, paths: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
        """Return name and value of each column for photos that belong together.

        Different values of one column are separated by `` | ``, as Darwin Core recommends for lists.
        """
        rows = [dict(self._given.of(self._positions[path])) for path in paths if path in self._positions]
        values = {name: dict.fromkeys(row[name] for row in rows if row[name] is not None) for name in self.names}
        return tuple((name, " | ".join(map(str, found)) or None) for name, found in values.items())
