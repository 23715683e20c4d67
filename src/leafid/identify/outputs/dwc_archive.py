"""Writes records as a Darwin Core Archive: specimens as its core, their identifications as its extension.

Format: the Darwin Core text guide, dwc.tdwg.org/text, and GBIF's extension Identification. One specimen may have many
images, and so many identifications; each refers to its specimen by ``coreid``.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

from leafid.files import written_atomically
from leafid.identify.outputs.darwin_core import DWC_COLUMNS, IdentificationTerms, identified, stable_id
from leafid.identify.outputs.dwc_terms import IDENTIFICATION, OCCURRENCE, TERMS, term_of
from leafid.identify.records import Record
from leafid.tables import csv_row
from leafid.taxonomy import Taxonomy
from leafid.zip_files import DAMAGE, TooManyMembersError, check_member_count

META, CORE, EXTENSION = "meta.xml", "occurrence.csv", "identification.csv"

BASIS_NOT_STATED = "Occurrence"
"""``basisOfRecord`` where the table of images has none: an image does not tell a specimen from a living plant."""

_IDENTIFICATION = tuple(name for name in DWC_COLUMNS if name != "associatedMedia")
"""Terms of the extension; in the core they are those of the determination in force."""
_LIST = " | "  # between several values of one term, as Darwin Core recommends
_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


@dataclass
class _Specimen:
    """The rows of one specimen: values of its core row by term, and what the table says that is no term."""

    values: dict[str, str]
    probability: float
    media: dict[str, None] = field(default_factory=dict)  # an ordered set, as are the values of `other`
    other: dict[str, dict[str, None]] = field(default_factory=dict)


def is_archive(path: Path) -> bool:
    """Return whether a file is an archive with the members that ``write_archive`` writes."""
    try:
        with path.open("rb") as content:
            check_member_count(content, 3)
            with zipfile.ZipFile(content) as archive:
                return sorted(archive.namelist()) == sorted((META, CORE, EXTENSION))
    except (OSError, TooManyMembersError, *DAMAGE):
        return False


def write_archive(records: Iterable[Record], path: Path, taxonomy: Taxonomy) -> int:
    """Write identified records as an archive, atomically; return the number of identifications.

    A record belongs to the specimen with the ``occurrenceID`` in the table that named its image; without one, each
    image is a specimen, with an identifier that depends on the file alone. Other columns of the table that are Darwin
    Core terms are terms of the core, and the rest stands in ``dynamicProperties`` as JSON. The core has the
    determination that the table gives; where it gives none, the most probable of leafid.

    Args:
        records: in order; those without a name are left out, and an image that was named twice counts once.
        path: the .zip file.
        taxonomy: of the bundle; gives ``taxonID`` for taxa with a key.

    Raises:
        OutputError: the file cannot be written.
    """
    terms, written = IdentificationTerms(taxonomy), set[str]()
    specimens: dict[str, _Specimen] = {}
    with written_atomically(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(EXTENSION, "w", force_zip64=True) as binary:
            extension = io.TextIOWrapper(binary, "utf-8", newline="")
            extension.write(csv_row(["coreid", *_IDENTIFICATION]))
            for record in identified(records):
                values = {name: _one_line(value) for name, value in terms.of(record).items()}
                if values["identificationID"] in written:  # an image that was named twice
                    continue
                written.add(values["identificationID"])
                core_id = _add(specimens, record, values)
                extension.write(csv_row([core_id, *(values[name] for name in _IDENTIFICATION)]))
            extension.close()
        columns = _columns(specimens.values())
        archive.writestr(CORE, "".join(_core_rows(specimens, columns)))
        archive.writestr(META, _meta(columns))
    return len(written)


def _add(specimens: dict[str, _Specimen], record: Record, values: dict[str, str]) -> str:
    """Add a record to its specimen, and return the identifier of the specimen."""
    given: dict[str, str] = {}
    other: dict[str, str] = {}
    for column, value in record.given:
        if value is not None:
            term = term_of(column)
            target, name = (other, column) if term is None or term in given else (given, term)
            target[name] = _one_line(value)
    core_id = given.get("occurrenceID") or stable_id(record)
    probability = record.probability or 0.0
    own = {name: values[name] for name in _IDENTIFICATION}
    specimen = specimens.get(core_id)
    if specimen is None:
        specimen = specimens[core_id] = _Specimen({"basisOfRecord": BASIS_NOT_STATED} | own, probability)
        if "scientificName" in given:  # a determination is given whole, never mixed with leafid's
            specimen.values |= dict.fromkeys(_IDENTIFICATION, "")
        specimen.values |= given
    elif probability > specimen.probability and "scientificName" not in given:
        specimen.values |= own
        specimen.probability = probability
    for part in (given.get("associatedMedia"), values["associatedMedia"]):
        specimen.media |= dict.fromkeys(part.split(_LIST) if part else ())
    for name, value in other.items():
        specimen.other.setdefault(name, {})[value] = None
    return core_id


def _columns(specimens: Iterable[_Specimen]) -> list[str]:
    """Return the terms of the core in the order of ``TERMS``, those that no specimen has left out."""
    used = {"occurrenceID", "basisOfRecord", "scientificName"}
    for specimen in specimens:
        used |= {name for name, value in specimen.values.items() if value}
        used |= {"associatedMedia"} if specimen.media else set()
        used |= {"dynamicProperties"} if specimen.other else set()
    return [name for name in TERMS if name in used]


def _core_rows(specimens: dict[str, _Specimen], columns: Sequence[str]) -> Iterator[str]:
    yield csv_row(["id", *columns])
    for core_id, specimen in specimens.items():
        values = specimen.values | {"associatedMedia": _LIST.join(specimen.media)}
        if specimen.other:
            one = {name: next(iter(found)) if len(found) == 1 else [*found] for name, found in specimen.other.items()}
            given = values.get("dynamicProperties")
            one |= {"dynamicProperties": given} if given else {}
            values = values | {"dynamicProperties": json.dumps(one, ensure_ascii=False)}
        yield csv_row([core_id, *(values.get(name, "") for name in columns)])


def _meta(core: Sequence[str]) -> str:
    tables = (
        _table("core", OCCURRENCE, CORE, "id", core),
        _table("extension", IDENTIFICATION, EXTENSION, "coreid", _IDENTIFICATION),
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<archive xmlns="http://rs.tdwg.org/dwc/text/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://rs.tdwg.org/dwc/text/ '
        f'http://rs.tdwg.org/dwc/text/tdwg_dwc_text.xsd">\n{"".join(tables)}</archive>\n'
    )


def _table(tag: str, row_type: str, location: str, identifier: str, terms: Sequence[str]) -> str:
    fields = "".join(
        f'    <field index="{index}" term={quoteattr(TERMS[term])}/>\n' for index, term in enumerate(terms, start=1)
    )
    return (
        f'  <{tag} encoding="UTF-8" fieldsTerminatedBy="," fieldsEnclosedBy="&quot;" linesTerminatedBy="\\n" '
        f'ignoreHeaderLines="1" rowType="{row_type}">\n'
        f"    <files><location>{location}</location></files>\n"
        f'    <{identifier} index="0"/>\n{fields}  </{tag}>\n'
    )


def _one_line(value: str) -> str:
    """Return a value without line ends and other control characters, at which readers of archives part rows."""
    return _BREAKS.sub(" ", value).strip()
