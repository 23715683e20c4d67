"""Group the sheets of a catalog by gathering: specimens that one collector took of one population at one time.

Duplicates of a gathering are distributed to many herbaria. A network tested on a duplicate of a training sheet is
tested on a plant that it was trained on. Rows are therefore joined by collector, number and date (not by name, since
duplicates may be named differently), by barcode, web address, bytes and perceptual hash. A gathering is a connected
component of these links. Uncertain matches are joined: a wrong join loses a little data, a missed one leaks into the
test.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.catalog import read_catalog, write_catalog
from leafid.curation.collectors import Period, name_words, number_digits, parse_period, surnames
from leafid.curation.conflicts import image_content_ids
from leafid.curation.connected_components import components_by_keys, components_by_pairs
from leafid.curation.near_duplicates import near_duplicate_pairs, perceptual_hashes, write_near_duplicates
from leafid.progress import OnProgress
from leafid.scientific_names import read_name

if TYPE_CHECKING:
    import pandas as pd

Key = tuple[str, ...]


@dataclass(frozen=True)
class GatheringSummary:
    """The result of ``assign_gatherings``: numbers of images, gatherings and pairs of near-duplicates.

    ``unreadable`` maps the paths of images that could no longer be read, and so not compared, to the reason.
    """

    images: int
    gatherings: int
    near_duplicates: int
    unreadable: dict[str, str]


def assign_gatherings(catalog_path: Path, *, on_progress: OnProgress | None = None) -> GatheringSummary:
    """Fill in missing values of ``gathering_id`` in a catalog, and write ``near_duplicates.csv`` beside it.

    Raises:
        CatalogError: there is no catalog, or it has mistakes.
    """
    catalog = read_catalog(catalog_path)
    hashes, unreadable = perceptual_hashes(catalog, catalog_path, on_progress=on_progress)
    pairs = near_duplicate_pairs(hashes)
    write_near_duplicates(pairs, catalog_path.with_name("near_duplicates.csv"))
    catalog["gathering_id"] = gatherings_of(catalog, [(one, other) for one, other, _ in pairs])
    write_catalog(catalog, catalog_path)
    return GatheringSummary(len(catalog), int(catalog["gathering_id"].nunique()), len(pairs), unreadable)


def gatherings_of(catalog: "pd.DataFrame", near_duplicates: Iterable[tuple[str, str]] = ()) -> "pd.Series":
    """Return the gathering of each row; a gathering given by the source is kept.

    Identifiers are hashes: the same records always get the same identifier, and it does not reveal the collector.

    Args:
        catalog: the columns of a catalog.
        near_duplicates: pairs of ``image_id`` with nearly equal images.
    """
    records = [_Record.of(row) for row in _rows(catalog)]
    content_ids = list(image_content_ids(catalog))
    given = catalog["gathering_id"]
    free = given.isna().to_numpy()
    keys: list[list[Key]] = [
        [*record.keys(), ("image", content)] if missing else [("given", str(name)), ("image", content)]
        for record, content, name, missing in zip(records, content_ids, given, free, strict=True)
    ]
    generic = _generic_addresses(records)
    keys = [[key for key in of_row if key not in generic] for of_row in keys]
    row_of = {content: row for row, content in enumerate(content_ids) if free[row]}
    pairs = [(row_of[one], row_of[other]) for one, other in near_duplicates if one in row_of and other in row_of]
    unnamed = [record if missing else None for record, missing in zip(records, free, strict=True)]
    pairs += _overlapping_dates(unnamed)
    numbers = components_by_pairs(len(records), [*_component_pairs(components_by_keys(keys)), *pairs])
    numbers = components_by_pairs(len(records), [*_component_pairs(numbers), *_incomplete_labels(unnamed, numbers)])
    return _identifiers(given, numbers, keys)


@dataclass(frozen=True)
class _Record:
    """The fields of a row that identify its gathering, in comparable form."""

    surnames: frozenset[str]
    words: frozenset[str]
    digits: str
    period: Period | None
    taxon: str
    sheet: Key | None
    address: Key | None
    medium: Key | None
    occurrence: Key | None

    @classmethod
    def of(cls, row: dict[str, str]) -> "_Record":
        collector, number = row.get("recordedBy", ""), row.get("recordNumber", "")
        return cls(
            surnames=surnames(collector),
            words=name_words(collector),
            digits=number_digits(number),
            period=parse_period(row.get("eventDate", "")),
            taxon=read_name(row["scientificName"]).key,
            sheet=_sheet(row.get("institutionCode", ""), row.get("catalogNumber", "")),
            address=("address", row["references"]) if "references" in row else None,
            medium=("medium", row["accessURI"]) if "accessURI" in row else None,
            occurrence=("occurrence", row["gbifID"]) if "gbifID" in row else None,
        )

    @property
    def day(self) -> str | None:
        return self.period.first.isoformat() if self.period and self.period.is_a_day else None

    def keys(self) -> Iterator[Key]:
        """Yield keys that rows of one gathering share exactly."""
        yield from (key for key in (self.sheet, self.occurrence, self.address, self.medium) if key)
        if self.digits and self.day:
            # With equal number and day, any common word of the collectors' names suffices, since their order varies.
            yield from (("number", self.digits, self.day, word) for word in sorted(self.words))
            if len(self.digits) >= 4:
                yield ("number", self.digits, self.day, "taxon", self.taxon)  # for a project or institute as collector
        elif self.day:
            yield from (("day", self.day, surname, self.taxon) for surname in sorted(self.surnames))


def _overlapping_dates(records: Sequence[_Record | None]) -> list[tuple[int, int]]:
    """Return pairs with the same surname and number where one date is less precise than a day and both overlap."""
    by_number: dict[Key, list[tuple[int, Period]]] = defaultdict(list)
    for row, record in enumerate(records):
        if record and record.digits and record.period:
            for surname in record.surnames:
                by_number[record.digits, surname].append((row, record.period))
    return [
        (row, other)
        for rows in by_number.values()
        for row, period in rows
        if not period.is_a_day
        for other, other_period in rows
        if other != row and period.overlaps(other_period)
    ]


def _incomplete_labels(records: Sequence[_Record | None], components: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return pairs where one row lacks its date or number, and exactly one gathering matches its other fields.

    Without date: same surname and number. Without number: same surname, day and taxon.
    """
    candidates_of: dict[Key, list[int]] = defaultdict(list)
    incomplete: list[tuple[Key, int]] = []
    for row, record in enumerate(records):
        for surname in sorted(record.surnames) if record else ():
            if record and record.digits:
                number = ("number", record.digits, surname)
                if record.period is None:
                    incomplete.append((number, row))
                candidates_of[number].append(row)
                if record.day:
                    candidates_of["day", record.day, surname, record.taxon].append(row)
            elif record and record.day:
                incomplete.append((("day", record.day, surname, record.taxon), row))
    pairs = []
    for key, row in incomplete:
        dated = [other for other in candidates_of[key] if (candidate := records[other]) and candidate.period]
        candidates = dated or candidates_of[key]
        if not dated or len({components[other] for other in dated}) == 1:
            pairs += [(row, other) for other in candidates]
    return pairs


def _sheet(institution: str, number: str) -> Key | None:
    """Return the key of the physical sheet, or None if its number does not identify it.

    Placeholders such as ``NO DISPONIBLE`` have no digits; a plain number is unique only within an institution.
    """
    if not re.search(r"\d", number):
        return None
    if not institution and not re.search(r"[^\W\d_].*\d{4}", number):
        return None
    return ("sheet", institution.casefold(), number.casefold())


def _generic_addresses(records: Sequence[_Record]) -> set[Key]:
    """Return web addresses shared by records of different sheets, such as a home page."""
    sheets: dict[Key, set[Key | None]] = defaultdict(set)
    for record in records:
        if record.address:
            sheets[record.address].add(record.sheet)
    return {address for address, linked in sheets.items() if len(linked) > 1}


def _component_pairs(numbers: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield pairs of rows that reproduce the component numbers."""
    first: dict[int, int] = {}
    for row, number in enumerate(numbers):
        yield first.setdefault(int(number), row), row


def _identifiers(given: "pd.Series", numbers: NDArray[np.int64], keys: Sequence[Sequence[Key]]) -> "pd.Series":
    """Return an identifier for each component: one given by the source, or else a hash of its first key."""
    import pandas as pd

    of_component: dict[int, list[int]] = defaultdict(list)
    for row, number in enumerate(numbers):
        of_component[int(number)].append(row)
    names: list[str] = ["" if missing else str(name) for name, missing in zip(given, given.isna(), strict=True)]
    for rows in of_component.values():
        known = sorted(names[row] for row in rows if names[row])
        shared = known[0] if known else _hashed(chain.from_iterable(keys[row] for row in rows))
        for row in rows:
            names[row] = names[row] or shared
    return pd.Series(names, index=given.index, dtype="str")


def _hashed(keys: Iterable[Key]) -> str:
    """Hash the first of the strongest keys: number, then day, sheet, occurrence, address, medium and image."""
    order = ("number", "day", "sheet", "occurrence", "address", "medium", "image")
    first = min(keys, key=lambda key: (order.index(key[0]), key))
    return "g" + hashlib.sha256("\x1f".join(first).encode()).hexdigest()[:15]


def _rows(catalog: "pd.DataFrame") -> list[dict[str, str]]:
    """Return the rows without missing values."""
    columns = (
        "recordedBy recordNumber eventDate scientificName institutionCode catalogNumber references accessURI gbifID"
    )
    present = [column for column in columns.split() if column in catalog]
    return [
        {name: str(value) for name, value in zip(present, values, strict=True) if value is not None and value == value}
        for values in catalog[present].itertuples(index=False, name=None)
    ]
