"""Writes records as Darwin Core Identification rows, for import into Specify, Symbiota and the IPT.

Terms: https://dwc.tdwg.org/terms/. ``associatedMedia`` is the image and links a row to its specimen.
"""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from leafid.files import written_atomically
from leafid.identify.outputs.line_formats import candidates_text
from leafid.identify.records import LeafCheck, Record, Status, unicode_path
from leafid.tables import csv_row, escape_formula, path_cell
from leafid.taxonomy import Taxonomy

DWC_COLUMNS = (
    "associatedMedia",
    "scientificName",
    "taxonID",
    "taxonRank",
    "identificationQualifier",
    "identifiedBy",
    "dateIdentified",
    "identificationVerificationStatus",
    "identificationRemarks",
)
"""The columns in order, all Darwin Core terms."""


def write_darwin_core(records: Iterable[Record], path: Path, taxonomy: Taxonomy, *, on: date) -> int:
    """Write one row per identified record as CSV (UTF-8), atomically; return the number of rows.

    An image without a name has no row: it was not determined, and collection systems reject rows without a name.

    Args:
        records: in order.
        path: the file to write.
        taxonomy: of the bundle; gives ``taxonID`` for taxa with a key.
        on: date of the identification.

    Raises:
        OutputError: the file cannot be written.
    """
    keys = {taxon.scientific_name: taxon.key or "" for taxon in taxonomy.taxa}
    number = 0
    with written_atomically(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as opened:
        opened.write(csv_row(DWC_COLUMNS))
        for record in records:
            if record.status is Status.IDENTIFIED and record.scientific_name is not None:
                cells = _cells(record, record.scientific_name, keys, on)
                opened.write(csv_row(map(escape_formula, cells)))
                number += 1
    return number


def _cells(record: Record, name: str, keys: dict[str, str], on: date) -> tuple[str, ...]:
    return (
        _media(record),
        name,
        keys.get(name, ""),
        record.taxon_rank or "",
        "cf." if len(record.prediction_set) > 1 or record.leaf_check == LeafCheck.EXCLUDES else "",
        f"leafid {record.leafid_version}, bundle {record.bundle}",
        on.isoformat(),
        "unverified",
        _remarks(record),
    )


def _media(record: Record) -> str:
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
    return ". ".join(remark.removesuffix(".") for remark in remarks) + "."
