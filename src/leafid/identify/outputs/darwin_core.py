"""Records as Darwin Core Identification rows, which Specify, Symbiota and the IPT import beside the occurrences.

Terms: https://dwc.tdwg.org/terms/. ``associatedMedia`` is the image by which a row finds its specimen.
"""

import csv
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from leafid.files import written_atomically
from leafid.identify.outputs.line_formats import candidates_text, csv_path, guarded
from leafid.identify.records import Record, Status, written_path
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
"""The columns in order; all are Darwin Core terms."""


def write_darwin_core(records: Iterable[Record], path: Path, taxonomy: Taxonomy, *, on: date) -> int:
    """Write a row for each identified record as CSV (UTF-8), all or nothing; return their number.

    An image without a name has no row: nothing was determined, and collection systems refuse rows without a name.

    Args:
        records: in order.
        path: the file.
        taxonomy: of the bundle; it gives ``taxonID``, where its taxa have a key.
        on: when the images were identified.

    Raises:
        OutputError: the file cannot be written.
    """
    keys = {taxon.scientific_name: taxon.key or "" for taxon in taxonomy.taxa}
    number = 0
    with written_atomically(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as opened:
        rows = csv.writer(opened, lineterminator="\n")
        rows.writerow(DWC_COLUMNS)
        for record in records:
            if record.status is Status.IDENTIFIED and record.scientific_name is not None:
                rows.writerow([guarded(cell) for cell in _cells(record, record.scientific_name, keys, on)])
                number += 1
    return number


def _cells(record: Record, name: str, keys: dict[str, str], on: date) -> tuple[str, ...]:
    return (
        csv_path(written_path(record.path)),
        name,
        keys.get(name, ""),
        record.taxon_rank or "",
        "cf." if len(record.prediction_set) > 1 else "",
        f"leafid {record.leafid_version}, bundle {record.bundle}",
        on.isoformat(),
        "unverified",
        _remarks(record),
    )


def _remarks(record: Record) -> str:
    told = ["Predicted from an image by a model; not seen by a botanist"]
    if record.probability is not None:
        told.append(f"probability {record.probability:.4f}")
    if record.prediction_set:
        told.append(f"cannot be excluded: {candidates_text(record.prediction_set)}")
    if record.flora_sentence is not None:
        told.append(f"leaf: {record.flora_sentence}")
    return ". ".join(one.removesuffix(".") for one in told) + "."
