"""Reads from the tables that list photos which plant each photo shows."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from leafid.errors import UsageError
from leafid.identify.inputs.input_lists import TABLE_ENDINGS
from leafid.sources import is_web_address
from leafid.tables import TableError, read_table

_PATH = "path"


def plant_columns(arguments: Iterable[Path]) -> set[str]:
    """Return the columns, but for the path, of the tables among what a user named."""
    return {name for table in _tables(arguments) for name in _read(table)[0]} - {_PATH}


def plants_in_tables(arguments: Iterable[Path], column: str) -> dict[str, str]:
    """Return the plant of each photo in the tables that have the column, by path as ``find_inputs`` lists it.

    Raises:
        UsageError: a photo has two plants.
    """
    plants: dict[str, str] = {}
    for table in _tables(arguments):
        header, rows = _read(table)
        if column not in header or _PATH not in header:
            continue
        path_at, plant_at = header.index(_PATH), header.index(column)
        for cells in rows:
            path, plant = cells[path_at], cells[plant_at].strip()
            name = path if is_web_address(path) else str(table.parent / path)
            if plants.setdefault(name, plant) != plant:
                raise UsageError(
                    f"{table}: {path} is a photo of two plants, {plants[name]} and {plant}. Correct {column}."
                )
    return plants


def _tables(arguments: Iterable[Path]) -> list[Path]:
    return [path for path in arguments if path.suffix.lower() in TABLE_ENDINGS and os.path.isfile(path)]


def _read(table: Path) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Return header and rows as text; rows that cannot be read are left out, as ``find_inputs`` has listed them."""
    if table.suffix.lower() == ".parquet":
        from pyarrow import parquet

        content = parquet.read_table(table)
        columns = [["" if value is None else str(value) for value in column.to_pylist()] for column in content.columns]
        return content.column_names, list(zip(*columns, strict=True))
    try:
        read = read_table(table)
    except TableError as error:
        raise UsageError(str(error)) from None
    return read.header, [cells for _, cells in read.rows]
