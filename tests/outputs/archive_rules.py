"""Checks an archive against the rules of the Darwin Core text guide and of GBIF, independently of what wrote it.

Sources: Darwin Core text guide (dwc.tdwg.org/text), with the attributes of its schema ``tdwg_dwc_text.xsd``; GBIF,
Darwin Core Archives - How-to guide; the extension rs.gbif.org/extension/dwc/identification.xml; and, for values, the
Darwin Core quick reference.
"""

import csv
import io
import re
import zipfile
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element

from defusedxml import ElementTree

NAMESPACE = "{http://rs.tdwg.org/dwc/text/}"
ATTRIBUTES = {
    "rowType", "fieldsTerminatedBy", "linesTerminatedBy", "fieldsEnclosedBy", "encoding", "ignoreHeaderLines",
    "dateFormat",
}  # fmt: skip
BASES = {
    "MaterialEntity", "PreservedSpecimen", "FossilSpecimen", "LivingSpecimen", "MaterialSample", "Event",
    "HumanObservation", "MachineObservation", "Taxon", "Occurrence", "MaterialCitation",
}  # fmt: skip
RANKS = {"species", "genus", "family"}
TERM_SPACES = ("http://rs.tdwg.org/dwc/terms/", "http://purl.org/dc/terms/")


def check_archive(path: Path) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Check an archive of occurrences and identifications; return the rows of both by short term, ids included."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert "meta.xml" in archive.namelist()
        root = ElementTree.fromstring(archive.read("meta.xml"), forbid_dtd=True)
        assert root.tag == f"{NAMESPACE}archive" and [child.tag for child in root].count(f"{NAMESPACE}core") == 1
        assert {child.tag for child in root} <= {f"{NAMESPACE}core", f"{NAMESPACE}extension"}
        core, extension = root
        assert core.get("rowType") == "http://rs.tdwg.org/dwc/terms/Occurrence"
        assert extension.get("rowType") == "http://rs.tdwg.org/dwc/terms/Identification"
        specimens, identifications = _rows(archive, core, "id"), _rows(archive, extension, "coreid")
        described = {element.text for element in root.iter(f"{NAMESPACE}location")} | {"meta.xml"}
        assert described == set(archive.namelist())
    ids = [row["id"] for row in specimens]
    assert all(ids) and len(ids) == len(set(ids)), "identifiers of the core are present and unique"
    assert {row["coreid"] for row in identifications} <= set(ids), "each identification belongs to a specimen"
    own = [row["identificationID"] for row in identifications]
    assert all(re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", one) for one in own) and len(own) == len(set(own))
    for row in specimens:
        assert row["basisOfRecord"] in BASES and row["scientificName"], "terms that GBIF requires"
        assert row.get("occurrenceID", "") in ("", row["id"])
    for row in identifications:
        assert row["scientificName"] and row["taxonRank"] in RANKS
        assert datetime.fromisoformat(row["dateIdentified"]).utcoffset() is not None, "date and time with zone"
    return specimens, identifications


def _rows(archive: zipfile.ZipFile, table: Element, identifier: str) -> list[dict[str, str]]:
    assert set(table.attrib) <= ATTRIBUTES
    assert table.get("encoding") == "UTF-8" and table.get("ignoreHeaderLines") == "1"
    assert (table.get("fieldsTerminatedBy"), table.get("fieldsEnclosedBy")) == (",", '"')
    assert table.get("linesTerminatedBy") == "\\n"
    assert [child.tag.removeprefix(NAMESPACE) for child in table][:2] == ["files", identifier]
    (location,) = table.iter(f"{NAMESPACE}location")
    fields = table.findall(f"{NAMESPACE}field")
    terms = [field.get("term", "") for field in fields]
    assert all(term.startswith(TERM_SPACES) for term in terms) and len(terms) == len(set(terms))
    text = archive.read(str(location.text)).decode("utf-8", "strict")
    assert not text.startswith("\ufeff") and "\r" not in text
    assert text.count("\n") == len(text.splitlines()), "no line end within a value"
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    indices = [int(field.get("index", "")) for field in fields]
    assert indices == list(range(1, len(header))), "every column has a term, and the first is the identifier"
    names = [identifier, *(term.rsplit("/", 1)[1] for term in terms)]
    assert names[1:] == header[1:]
    return [dict(zip(names, row, strict=True)) for row in rows]
