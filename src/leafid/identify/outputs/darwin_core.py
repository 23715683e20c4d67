"""Records as Darwin Core Identifications: the terms of one, and CSV rows of them for spreadsheets and Symbiota.

Terms: https://dwc.tdwg.org/terms/. ``associatedMedia`` is the image; columns of the table that named it, such as
``occurrenceID`` and ``catalogNumber``, link a row to its specimen. See ``dwc_archive`` for archives.
"""

import codecs
import uuid
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path, PurePath

from leafid.files import written_atomically
from leafid.identify.inputs.given_columns import carried_name
from leafid.identify.outputs.line_formats import candidates_text
from leafid.identify.records import LeafCheck, Record, Status, unicode_path
from leafid.shipped import shipped
from leafid.tables import csv_row, escape_formula, path_cell, read_table
from leafid.taxonomy import Taxonomy

DWC_COLUMNS = (
    "associatedMedia",
    "scientificName",
    "scientificNameAuthorship",
    "taxonID",
    "taxonRank",
    "identificationID",
    "identificationQualifier",
    "identifiedBy",
    "dateIdentified",
    "identificationVerificationStatus",
    "identificationRemarks",
)
"""The columns in order, all Darwin Core terms; columns of the table that named the images follow."""

AUTHORSHIP = "data/authorship.csv"
"""Authors of scientific names, which bundles do not hold."""


def write_darwin_core(
    records: Iterable[Record], path: Path, taxonomy: Taxonomy, *, byte_order_mark: bool = False
) -> int:
    """Write one row per identified record as CSV (UTF-8), atomically; return the number of rows.

    An image without a name has no row: it was not determined, and collection systems reject rows without a name. A
    given column with the name of one of ``DWC_COLUMNS``, such as an earlier ``scientificName``, gets the prefix
    ``input_``.

    Args:
        records: in order.
        path: the file to write.
        taxonomy: of the bundle; gives ``taxonID`` for taxa with a key.
        byte_order_mark: whether the file begins with one, by which Excel recognises UTF-8.

    Raises:
        OutputError: the file cannot be written.
    """
    terms = IdentificationTerms(taxonomy)
    number = 0
    records = iter(records)
    first = next(records, None)
    with written_atomically(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as opened:
        opened.write(codecs.BOM_UTF8.decode() if byte_order_mark else "")
        names = given_names([first] if first else [])
        opened.write(csv_row([*DWC_COLUMNS, *map(escape_formula, names)]))
        for record in identified(chain([first] if first else (), records)):
            values = terms.of(record)
            cells = [*(values[name] for name in DWC_COLUMNS), *(value or "" for _, value in record.given)]
            opened.write(csv_row(map(escape_formula, cells)))
            number += 1
    return number


def identified(records: Iterable[Record]) -> Iterator[Record]:
    """Yield the records that name a taxon."""
    return (record for record in records if record.status is Status.IDENTIFIED and record.scientific_name is not None)


class IdentificationTerms:
    """Turns records into the terms of ``DWC_COLUMNS``."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._keys = {taxon.scientific_name: taxon.key or "" for taxon in taxonomy.taxa}
        self._authors = scientific_name_authors()

    def of(self, record: Record) -> dict[str, str]:
        """Return the value of each term for an identified record; a missing one is empty."""
        name = record.scientific_name or ""
        return {
            "associatedMedia": associated_media(record),
            "scientificName": name,
            "scientificNameAuthorship": self._authors.get(name, ""),
            "taxonID": self._keys.get(name, ""),
            "taxonRank": record.taxon_rank or "",
            "identificationID": stable_id(
                record, record.bundle, record.identified_at, *([record.subject] if record.of_plant else [])
            ),
            "identificationQualifier": qualifier(record),
            "identifiedBy": f"leafid {record.leafid_version}, bundle {record.bundle}",
            "dateIdentified": record.identified_at,
            "identificationVerificationStatus": "unverified",
            "identificationRemarks": _remarks(record),
        }


def scientific_name_authors() -> dict[str, str]:
    """Return the author of each scientific name that is known."""
    return {fields[0]: fields[1] for _, fields in read_table(shipped(AUTHORSHIP)).rows}


def given_names(records: Iterable[Record]) -> list[str]:
    """Return the names under which the given columns of records follow ``DWC_COLUMNS``; all records have the same."""
    first = next(iter(records), None)
    names: dict[str, None] = dict.fromkeys(DWC_COLUMNS)
    for name, _ in first.given if first else ():
        names[carried_name(name, names)] = None
    return list(names)[len(DWC_COLUMNS) :]


def identifier_of(*parts: str) -> str:
    """Return a UUID, as a URN, that is the same whenever these texts are given."""
    return uuid.uuid5(uuid.NAMESPACE_URL, "|".join(["https://github.com/leafid/leafid", *parts])).urn


def stable_id(record: Record, *more: str) -> str:
    """Return a UUID that is the same whenever this file is identified, or this identification is written.

    Args:
        record: its file's hash and name count, its folder does not.
        more: what else distinguishes what the UUID stands for.
    """
    name = PurePath(unicode_path(record.path)).name
    return identifier_of(record.file_sha256 or unicode_path(record.path), name, *more)


def qualifier(record: Record) -> str:
    """Return ``cf.`` where other taxa cannot be excluded, or the measured leaf excludes the name."""
    return "cf." if len(record.prediction_set) > 1 or record.leaf_check == LeafCheck.EXCLUDES else ""


def associated_media(record: Record) -> str:
    """Return the image, or the images of a plant that were used, separated as Darwin Core lists are."""
    used = [photo.path for photo in record.photos if photo.left_out is None] or [record.path]
    return " | ".join(path_cell(unicode_path(path)) for path in used)


def _remarks(record: Record) -> str:
    remarks = ["Predicted from an image by a model; not seen by a botanist"]
    if record.probability is not None:
        remarks.append(f"probability {record.probability:.4f}")
    if record.prediction_set:
        remarks.append(f"cannot be excluded: {candidates_text(record.prediction_set)}")
    if record.caution is not None:
        remarks.append(record.caution)
    if record.flora_sentence is not None:
        remarks.append(f"leaf: {record.flora_sentence}")
    if record.next_question is not None:
        remarks.append(f"to be looked up: {record.next_question}")
    used = [(photo.path, photo.file_sha256) for photo in record.photos if photo.left_out is None]
    for path, sha256 in used or [(record.path, record.file_sha256)]:
        if sha256 is not None:
            remarks.append(f"image {unicode_path(path)}, SHA-256 {sha256}")
    return ". ".join(remark.removesuffix(".") for remark in remarks) + "."
