"""The record: what is said of one image.

It is declared here, once; CSV, JSONL, Parquet, the tables of the terminal and the documentation are views of it.
"""

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from types import UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from leafid.errors import FailureReason
from leafid.trust import UndeterminedReason


def _codes(codes: type[StrEnum]) -> str:
    return ", ".join(f"`{code}`" for code in codes)


class Status(StrEnum):
    """How the identification of one image ended."""

    IDENTIFIED = "identified"
    UNDETERMINED = "undetermined"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A taxon that the image may show, with its calibrated probability."""

    scientific_name: str
    probability: float


@dataclass(frozen=True, slots=True)
class CitedSpecimen:
    """A specimen whose taxon is known and that is like the image; collectors and determiners are never named."""

    scientific_name: str
    """Its determination."""
    similarity: float
    """Cosine of the features, at most 1."""
    image_id: str
    """In the catalog of the training run; names its picture in the bundle, where there is one."""
    catalog_number: str | None = None
    institution_code: str | None = None
    license: str | None = None
    rights_holder: str | None = None
    references: str | None = None
    """Its page on the web."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is said of one image. Every image gives one record, whether it could be read or not."""

    path: Annotated[str, "The image file, as it was named or found; opens from the folder in which leafid was called."]
    status: Annotated[
        Status,
        "`identified`: a taxon is named. `undetermined`: the image was read, but no taxon is certain enough. "
        "`failed`: the file could not be read.",
    ]
    scientific_name: Annotated[str | None, "The taxon, when identified."] = None
    taxon_rank: Annotated[str | None, "Rank of `scientific_name`: species, genus or family."] = None
    probability: Annotated[
        float | None,
        "Calibrated probability of `scientific_name`, 0 to 1; when undetermined, of the first candidate.",
    ] = None
    target_probability: Annotated[
        float | None, "Calibrated probability of the target taxon, 0 to 1; missing when the bundle has no target."
    ] = None
    candidates: Annotated[
        tuple[Candidate, ...],
        "The most probable taxa with their probabilities, best first. "
        "In CSV: `Mitragyna speciosa 0.9100; Coffea canephora 0.0500`.",
    ] = ()
    prediction_set: Annotated[
        tuple[Candidate, ...],
        "Every taxon that cannot be excluded, with its probability, best first; holds the true one as often as the "
        "bundle's `coverage` says, if the image is like those of validation. Empty when the bundle has no such sets.",
    ] = ()
    specimens: Annotated[
        tuple[CitedSpecimen, ...],
        "With `--references`, the known specimens of each candidate that are most like the image, one for each "
        "gathering: determination, similarity, catalogue number, institution, licence. In CSV as JSON.",
    ] = ()
    reason: Annotated[
        str | None,
        "Why no taxon is named: a code, for failures followed by a colon and the detail. "
        f"Undetermined: {_codes(UndeterminedReason)}. Failed: {_codes(FailureReason)}.",
    ] = None
    secondary_vein_pairs: Annotated[
        float | None,
        "Pairs of secondary veins of the best leaf, with `--characters`; this and the following are missing where they "
        "could not be seen. They are measured, not learnt, and are never mixed into the probabilities.",
    ] = None
    secondary_vein_angle_deg: Annotated[float | None, "Mean angle of its secondary veins to the midrib, degrees."] = (
        None
    )
    length_width_ratio: Annotated[float | None, "Length of its blade by the width."] = None
    base_form: Annotated[str | None, "Form of its base: cuneate, obtuse, rounded, truncate, subcordate, cordate."] = (
        None
    )
    apex_form: Annotated[str | None, "Form of its apex: rounded, obtuse, acute or acuminate."] = None
    flora_sentence: Annotated[
        str | None,
        "Its characters beside the ranges that floras give for the candidates; or why no leaf was measured.",
    ] = None
    photo_taken: Annotated[
        str | None,
        "When the photo was taken by the camera's clock, ISO 8601, with the offset from UTC where the camera wrote it.",
    ] = None
    camera: Annotated[str | None, "Make and model of the camera."] = None
    latitude: Annotated[
        float | None,
        "Where the photo was taken, decimal degrees (WGS 84), north is positive: only with `--keep-location`, for "
        "rare plants are stolen from where photos say they grow.",
    ] = None
    longitude: Annotated[float | None, "The same, east is positive."] = None
    bundle: Annotated[
        str,
        "The bundle that answered: its name, `@`, the first 12 digits of its weights' SHA-256, `-`, and 6 digits that "
        "change with its temperature, thresholds and limits.",
    ]
    engine: Annotated[
        str | None,
        "What ran the network: torch, openvino or onnx, which answer alike, or `openvino-int8` or `onnx-int8`, which "
        "do not quite; missing when failed.",
    ] = None
    leafid_version: Annotated[str, "The version of leafid that answered."]

    @property
    def reason_code(self) -> str | None:
        """The code of ``reason``, without its detail."""
        return None if self.reason is None else self.reason.partition(":")[0]


@dataclass(frozen=True)
class Column:
    """One field of a record: its name, the type of its values, whether they may be missing, its meaning.

    ``element`` is the type of what a tuple holds.
    """

    name: str
    kind: type
    optional: bool
    description: str
    element: type | None = None


def _columns() -> tuple[Column, ...]:
    hints = get_type_hints(Record, include_extras=True)
    columns = []
    for field in fields(Record):
        declared, description = get_args(hints[field.name])
        members = get_args(declared) if isinstance(declared, UnionType) else (declared,)
        kind = next(member for member in members if member is not type(None))
        origin, element = get_origin(kind) or kind, next(iter(get_args(kind)), None)
        columns.append(Column(field.name, origin, type(None) in members, description, element))
    return tuple(columns)


COLUMNS = _columns()
"""The fields of a record in order; made from its declaration."""


def column_documentation() -> str:
    """Return the columns of a result as Markdown."""
    words: dict[type | None, str] = {str: "text", Status: "text", float: "number"}
    words |= {Candidate: "list of name and probability", CitedSpecimen: "list of specimens"}
    rows = ["| column | type | may be missing | meaning |", "| --- | --- | --- | --- |"]
    for column in COLUMNS:
        missing = "yes" if column.optional else ""
        rows.append(f"| `{column.name}` | {words[column.element or column.kind]} | {missing} | {column.description} |")
    return "\n".join(rows) + "\n"


def written_path(path: str) -> str:
    r"""Return a path as valid Unicode, the form in which it is written to files.

    Bytes of a file name that are no UTF-8 are written as ``\xff``; every other name stays as it is.
    """
    try:
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a lone surrogate of Windows, which stands for no byte
        return path.encode("utf-8", "backslashreplace").decode("utf-8")


def as_values(record: Record) -> dict[str, Any]:
    """Return a record as plain values that JSON and Parquet can hold, missing ones as None."""
    values: dict[str, Any] = {column.name: getattr(record, column.name) for column in COLUMNS}
    values["path"] = written_path(record.path)
    values["status"] = record.status.value
    for column in COLUMNS:
        if column.kind is tuple:
            values[column.name] = [asdict(one) for one in getattr(record, column.name)]
    if record.reason is not None:
        values["reason"] = written_path(record.reason)
    return values


def from_values(values: dict[str, Any]) -> Record:
    """Return the record that ``as_values`` gave the values of.

    Raises:
        KeyError, TypeError or ValueError: these are not the values of a record.
    """
    known = {column.name: values[column.name] for column in COLUMNS}
    known["status"] = Status(known["status"])
    for column in COLUMNS:
        if column.element is not None:
            known[column.name] = tuple(column.element(**one) for one in known[column.name])
    return Record(**known)
