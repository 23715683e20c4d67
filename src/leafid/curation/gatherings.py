"""Gatherings: what one collector took of one plant population at one time, and whose duplicates lie in many herbaria.

A network tested on a duplicate of a training sheet is tested on the plant it was trained on. So rows are joined by
collector, number and date (the name on the label is ignored: duplicates are named differently), by barcode, by web
address, by bytes and by picture; what hangs together is one gathering. In doubt rows are joined: that costs a little
data, the contrary costs honesty.
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
from leafid.curation.collectors import Period, name_words, number_digits, period_of, surnames
from leafid.curation.components import joined_by_keys, joined_by_pairs
from leafid.curation.conflicts import image_stems
from leafid.curation.names import read_name
from leafid.curation.near_duplicates import near_pairs, perceptual_hashes, write_near_duplicates
from leafid.progress import OnProgress

if TYPE_CHECKING:
    import pandas as pd

Key = tuple[str, ...]


@dataclass(frozen=True)
class Gathered:
    """What ``assign_gatherings`` found: number of images, gatherings and pairs of near-duplicates.

    ``unread`` holds the path and the reason of images that could be read no longer, and so could not be compared.
    """

    images: int
    gatherings: int
    near_duplicates: int
    unread: dict[str, str]


def assign_gatherings(catalog_path: Path, *, on_progress: OnProgress | None = None) -> Gathered:
    """Fill ``gathering_id`` in a catalog where its source gave none, and write ``near_duplicates.csv`` beside it.

    Raises:
        CatalogError: there is no catalog, or it has mistakes.
    """
    catalog = read_catalog(catalog_path)
    hashes, unread = perceptual_hashes(catalog, catalog_path, on_progress=on_progress)
    pairs = near_pairs(hashes)
    write_near_duplicates(pairs, catalog_path.with_name("near_duplicates.csv"))
    catalog["gathering_id"] = gatherings_of(catalog, [(one, other) for one, other, _ in pairs])
    write_catalog(catalog, catalog_path)
    return Gathered(len(catalog), int(catalog["gathering_id"].nunique()), len(pairs), unread)


def gatherings_of(catalog: "pd.DataFrame", near_duplicates: Iterable[tuple[str, str]] = ()) -> "pd.Series":
    """Return the gathering of each row; one that the source gave is taken as it is.

    The identifiers are hashes, the same whenever the same records come together; no collector can be read from them.

    Args:
        catalog: the columns of a catalog.
        near_duplicates: pairs of ``image_id`` that show the same picture.
    """
    records = [_Record.of(row) for row in _rows(catalog)]
    stems = list(image_stems(catalog))
    given = catalog["gathering_id"]
    free = given.isna().to_numpy()
    keys: list[list[Key]] = [
        [*record.keys(), ("image", stem)] if missing else [("given", str(name)), ("image", stem)]
        for record, stem, name, missing in zip(records, stems, given, free, strict=True)
    ]
    generic = _generic_addresses(records)
    keys = [[key for key in of_row if key not in generic] for of_row in keys]
    row_of = {stem: row for row, stem in enumerate(stems) if free[row]}
    pairs = [(row_of[one], row_of[other]) for one, other in near_duplicates if one in row_of and other in row_of]
    unnamed = [record if missing else None for record, missing in zip(records, free, strict=True)]
    pairs += _compatible_dates(unnamed)
    numbers = joined_by_pairs(len(records), [*_same_component(joined_by_keys(keys)), *pairs])
    numbers = joined_by_pairs(len(records), [*_same_component(numbers), *_missing_parts(unnamed, numbers)])
    return _identifiers(given, numbers, keys)


@dataclass(frozen=True)
class _Record:
    """What a row says of its gathering, brought to comparable form."""

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
            period=period_of(row.get("eventDate", "")),
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
        """What rows of one gathering share exactly."""
        yield from (key for key in (self.sheet, self.occurrence, self.address, self.medium) if key)
        if self.digits and self.day:
            # Same number and same day: any common word of the collectors' names will do, whoever is named first.
            yield from (("number", self.digits, self.day, word) for word in sorted(self.words))
            if len(self.digits) >= 4:
                yield ("number", self.digits, self.day, "taxon", self.taxon)  # the collector is a project or institute
        elif self.day:
            yield from (("day", self.day, surname, self.taxon) for surname in sorted(self.surnames))


def _compatible_dates(records: Sequence[_Record | None]) -> list[tuple[int, int]]:
    """Pairs with the same surname and number, one of which has its date less precisely than to the day."""
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
        for other, its_period in rows
        if other != row and period.overlaps(its_period)
    ]


def _missing_parts(records: Sequence[_Record | None], components: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Pairs in which one row lacks its date or number and exactly one gathering fits the rest.

    Without date: same surname and number. Without number: same surname, day and taxon.
    """
    fits: dict[Key, list[int]] = defaultdict(list)
    asks: list[tuple[Key, int]] = []
    for row, record in enumerate(records):
        for surname in sorted(record.surnames) if record else ():
            if record and record.digits:
                number = ("number", record.digits, surname)
                if record.period is None:
                    asks.append((number, row))
                fits[number].append(row)
                if record.day:
                    fits["day", record.day, surname, record.taxon].append(row)
            elif record and record.day:
                asks.append((("day", record.day, surname, record.taxon), row))
    pairs = []
    for key, row in asks:
        dated = [other for other in fits[key] if (found := records[other]) and found.period]
        candidates = dated or fits[key]
        if not dated or len({components[other] for other in dated}) == 1:
            pairs += [(row, other) for other in candidates]
    return pairs


def _sheet(institution: str, number: str) -> Key | None:
    """The sheet itself; placeholders such as ``NO DISPONIBLE`` have no digits, and bare numbers need an institution."""
    if not re.search(r"\d", number):
        return None
    if not institution and not re.search(r"[^\W\d_].*\d{4}", number):
        return None
    return ("sheet", institution.casefold(), number.casefold())


def _generic_addresses(records: Sequence[_Record]) -> set[Key]:
    """Web addresses that stand in records of different sheets: a home page, not a record."""
    sheets: dict[Key, set[Key | None]] = defaultdict(set)
    for record in records:
        if record.address:
            sheets[record.address].add(record.sheet)
    return {address for address, different in sheets.items() if len(different) > 1}


def _same_component(numbers: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Pairs that say what component numbers say."""
    first: dict[int, int] = {}
    for row, number in enumerate(numbers):
        yield first.setdefault(int(number), row), row


def _identifiers(given: "pd.Series", numbers: NDArray[np.int64], keys: Sequence[Sequence[Key]]) -> "pd.Series":
    """A name for each component: the one given by the source, else a hash of its first key."""
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
    """A hash of the strongest key that is the first in order: of numbers before days before sheets before images."""
    order = ("number", "day", "sheet", "occurrence", "address", "medium", "image")
    first = min(keys, key=lambda key: (order.index(key[0]), key))
    return "g" + hashlib.sha256("\x1f".join(first).encode()).hexdigest()[:15]


def _rows(catalog: "pd.DataFrame") -> list[dict[str, str]]:
    """The rows without what is missing."""
    columns = (
        "recordedBy recordNumber eventDate scientificName institutionCode catalogNumber references accessURI gbifID"
    )
    present = [column for column in columns.split() if column in catalog]
    return [
        {name: str(value) for name, value in zip(present, values, strict=True) if value is not None and value == value}
        for values in catalog[present].itertuples(index=False, name=None)
    ]
