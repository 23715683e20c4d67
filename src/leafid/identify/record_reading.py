"""Make records of the values that a file or a sender holds; every value is checked, since it may be a stranger's."""

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, get_args, get_type_hints

from leafid.identify.records import COLUMN_NAMES, COLUMNS, Record, Status
from leafid.text import printable

RENAMED_COLUMNS = {"score": "probability", "target_score": "target_probability"}
"""Columns of earlier versions, and their names now."""


def record_from_dict(values: dict[str, Any]) -> Record:
    """Return the record for values from ``record_to_dict``.

    Raises:
        RenamedColumnError: the values have columns of an earlier version.
        KeyError or ValueError: the values do not make a record.
    """
    check_renamed_columns(values)
    fields: dict[str, Any] = {}
    for column in COLUMNS:
        value = values[column.name]
        if column.element_type is not None:
            fields[column.name] = _elements(value, column.element_type, column.name)
        elif column.value_type is Status:
            fields[column.name] = Status(_checked(value, _TEXT, column.name))
        else:
            fields[column.name] = _checked(value, _Kind(column.value_type, column.optional), column.name)
    given = [(_checked(name, _TEXT, "a column"), value) for name, value in values.items() if name not in COLUMN_NAMES]
    fields["given"] = tuple((name, _checked(value, _OPTIONAL_TEXT, name)) for name, value in given)
    return Record(**fields)


class RenamedColumnError(ValueError):
    """A result has columns of an earlier version; the message gives their names now."""


def check_renamed_columns(names: Iterable[str]) -> None:
    """Check that no column has a name of an earlier version.

    Raises:
        RenamedColumnError: one has.
    """
    if found := [name for name in names if name in RENAMED_COLUMNS]:
        renamings = ", ".join(f"column {name} is now {RENAMED_COLUMNS[name]}" for name in found)
        raise RenamedColumnError(renamings)


@dataclass(frozen=True)
class _Kind:
    """What a value must be: text or a number, and whether it may be missing."""

    value_type: type
    optional: bool


_TEXT, _OPTIONAL_TEXT = _Kind(str, False), _Kind(str, True)


def _elements(values: object, element_type: type, name: str) -> tuple[Any, ...]:
    if not isinstance(values, list | tuple):
        raise ValueError(f"{name} is no list")
    kinds = _kinds(element_type)
    elements = []
    for one in values:
        if not isinstance(one, Mapping) or not set(one) <= set(kinds):
            raise ValueError(f"{name} holds something else than {', '.join(kinds)}")
        fields = {field: _checked(value, kinds[field], f"{name}: {field}") for field, value in one.items()}
        try:
            elements.append(element_type(**fields))
        except TypeError as error:  # one without a default is missing
            raise ValueError(f"{name}: {error}") from None
    return tuple(elements)


@functools.cache
def _kinds(element_type: type) -> dict[str, _Kind]:
    """Return the kind of each field of a part of a record."""
    kinds = {}
    for name, hint in get_type_hints(element_type).items():
        members = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        kinds[name] = _Kind(next(member for member in members if member is not type(None)), len(members) > 1)
    return kinds


def _checked(value: object, kind: _Kind, name: str) -> Any:  # noqa: ANN401 -- text or a number, by its kind
    """Return a value that has its kind: text that can be written as UTF-8, or a finite number."""
    if value is None and kind.optional:
        return None
    if kind.value_type is float:
        if isinstance(value, float | int) and not isinstance(value, bool) and abs(value) < math.inf:
            try:
                return float(value)
            except OverflowError:  # a whole number of more than 308 digits
                pass
    elif isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{printable(name)} has letters that are none") from None
        return value
    raise ValueError(f"{printable(name)} is no {'number' if kind.value_type is float else 'text'}")
