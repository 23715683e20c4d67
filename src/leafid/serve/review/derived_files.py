"""Files made of the decisions: Darwin Core rows for the collection's database, and a table to train on."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from leafid.identify import (
    DWC_COLUMNS,
    Record,
    associated_media,
    given_names,
    identifier_of,
    scientific_name_authors,
)
from leafid.serve.review.decisions import Choice, Decision
from leafid.sources import is_web_address
from leafid.tables import write_table

TRAINING_COLUMNS = ("path", "scientificName", "gathering_id")
"""``sources: - kind: table`` reads these. Photos of one plant are one gathering, so that no split divides them."""


def identifications_path(results: Path) -> Path:
    """Return the file of Darwin Core rows: ``results.identifications.csv``."""
    return results.with_name(f"{results.stem}.identifications.csv")


def training_path(results: Path) -> Path:
    """Return the table to train on: ``results.training.csv``."""
    return results.with_name(f"{results.stem}.training.csv")


def write_identifications(records: Sequence[Record], decisions: Mapping[str, Decision], path: Path) -> int:
    """Write one Darwin Core Identification row for each determination; return their number.

    ``cannot_tell`` has no row: collection systems reject rows without a name. The columns of the table that named the
    images follow, such as ``catalogNumber``, by which a row joins its specimen.

    Raises:
        OutputError: the file cannot be written.
    """
    rows = []
    authors = scientific_name_authors()
    given = {record.subject: [value or "" for _, value in record.given] for record in records}
    media = {record.subject: associated_media(record) for record in records}
    names = given_names(records)
    for subject, one in decisions.items():
        if one.decision is Choice.CANNOT_TELL:
            continue
        predicted = f"{one.predictedName} ({one.predictedProbability})" if one.predictedName else "no name"
        remarks = [one.identificationRemarks, f"{one.decision.capitalize()} after leafid gave {predicted}"]
        values = {
            "associatedMedia": media.get(subject, ""),
            "scientificName": one.scientificName,
            "scientificNameAuthorship": authors.get(one.scientificName, ""),
            "identificationID": identifier_of(subject, one.identifiedBy, one.dateIdentified),
            "identifiedBy": one.identifiedBy,
            "dateIdentified": one.dateIdentified,
            "identificationVerificationStatus": "verified",
            "identificationRemarks": ". ".join(remark for remark in remarks if remark) + f", bundle {one.bundle}.",
        }
        further = given.get(subject) or [""] * len(names)
        rows.append([*(values.get(column, "") for column in DWC_COLUMNS), *further])
    write_table(path, [*DWC_COLUMNS, *names], rows)
    return len(rows)


def write_training_table(records: Sequence[Record], decisions: Mapping[str, Decision], path: Path) -> int:
    """Write the photos with a determination, with paths relative to the table; return their number.

    Photos that were left out of the answer for a plant, and those from the web, have no row.

    Raises:
        OutputError: the file cannot be written.
    """
    rows = []
    for record in records:
        decision = decisions.get(record.subject)
        if decision is None or decision.decision is Choice.CANNOT_TELL:
            continue
        used = [photo.path for photo in record.photos if photo.left_out is None] if record.of_plant else [record.path]
        gathering = record.plant or ""
        for photo in used:
            if not is_web_address(photo):
                relative = os.path.relpath(os.path.abspath(photo), path.absolute().parent)
                rows.append([relative, decision.scientificName, gathering])
    write_table(path, TRAINING_COLUMNS, rows)
    return len(rows)
