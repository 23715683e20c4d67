"""The record: the result for one image or one plant.

It is declared here once; CSV, JSONL, Parquet, terminal tables and documentation are derived from the declaration.
"""

from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from types import UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from leafid.errors import FailureReason
from leafid.exif import CaptureInfo
from leafid.identify.record_parts import Candidate, CitedSpecimen, LeafCheck, PlantPhoto, Status
from leafid.trust import UndeterminedReason

__all__ = ["Candidate", "CitedSpecimen", "LeafCheck", "PlantPhoto", "Record", "Status"]


def _codes(codes: type[StrEnum]) -> str:
    return ", ".join(f"`{code}`" for code in codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The result for one image, or for all photos of one plant. Every image gives one record, readable or not."""

    path: Annotated[
        str,
        "The image file or web address, as named; relative to the folder in which leafid was called. Of a plant, the "
        "first photo that was used.",
    ]
    status: Annotated[
        Status,
        "`identified`: a taxon is named. `undetermined`: the image was read, but no taxon is certain enough. "
        "`failed`: the image could not be read.",
    ]
    scientific_name: Annotated[str | None, "The taxon, if identified."] = None
    taxon_rank: Annotated[str | None, "Rank of `scientific_name`: species, genus or family."] = None
    probability: Annotated[
        float | None,
        "Calibrated probability of `scientific_name`, 0 to 1; if undetermined, of the first candidate.",
    ] = None
    target_probability: Annotated[
        float | None, "Calibrated probability of the target taxon, 0 to 1; missing if the bundle has no target."
    ] = None
    candidates: Annotated[
        tuple[Candidate, ...],
        "The most probable taxa with their probabilities, best first. "
        "In CSV: `Mitragyna speciosa 0.9100; Coffea canephora 0.0500`.",
    ] = ()
    prediction_set: Annotated[
        tuple[Candidate, ...],
        "Conformal prediction set: every taxon that cannot be excluded, with its probability, best first. It contains "
        "the true taxon at the bundle's rate `coverage`, if the image is like the validation images. Empty if the "
        "bundle has no prediction sets.",
    ] = ()
    excluded: Annotated[
        tuple[Candidate, ...],
        "With `--taxa` or `--country`, the most probable taxa that were left out, with their probabilities among all "
        "taxa of the bundle; all other probabilities hold if the plant is one of those asked for.",
    ] = ()
    specimens: Annotated[
        tuple[CitedSpecimen, ...],
        "With `--references`, the reference specimens of each candidate that are most similar to the image, at most "
        "one per gathering: determination, similarity, catalogue number, institution, licence. In CSV as JSON.",
    ] = ()
    reason: Annotated[
        str | None,
        "Why no taxon is named: a code; for failures followed by a colon and the detail. "
        f"Undetermined: {_codes(UndeterminedReason)}. Failed: {_codes(FailureReason)}.",
    ] = None
    secondary_vein_pairs: Annotated[
        float | None,
        "With `--characters`, number of pairs of secondary veins of the best leaf. This and the next five columns are "
        "missing if they could not be measured. They do not affect the probabilities.",
    ] = None
    secondary_vein_angle_deg: Annotated[float | None, "Mean angle of its secondary veins to the midrib, degrees."] = (
        None
    )
    length_width_ratio: Annotated[float | None, "Length of its blade divided by the width."] = None
    base_form: Annotated[str | None, "Form of its base: cuneate, obtuse, rounded, truncate, subcordate, cordate."] = (
        None
    )
    apex_form: Annotated[str | None, "Form of its apex: rounded, obtuse, acute or acuminate."] = None
    flora_sentence: Annotated[
        str | None,
        "Its characters compared with the ranges that floras give for the candidates, or why no leaf was measured.",
    ] = None
    leaf_check: Annotated[
        str | None,
        "What the measured leaf says about `scientific_name`, without changing its probability: `fits` the ranges in "
        "floras; `excludes` it by a clearly visible character; `no_leaf` was found; leaves lie over one another "
        "(`overlapped`). Missing if nothing could be compared.",
    ] = None
    next_question: Annotated[
        str | None,
        "With `--ask`, the one or two characters to look up on the plant that separate the taxa of `prediction_set` "
        "best and that the photo does not show: code, question, and for each state the taxa that it leaves according "
        "to floras. It does not affect the probabilities. Missing if no character separates them.",
    ] = None
    caution: Annotated[
        str | None,
        "What to know before using the name: few training gatherings of the taxon, a bundle trained on drawings, a "
        "leaf that does not fit, photos of the plant that disagree or were left out.",
    ] = None
    plant: Annotated[
        str | None, "With `--plant-by`, the plant: its folder, its value of the column, or what the pattern matches."
    ] = None
    photos: Annotated[
        tuple[PlantPhoto, ...],
        "In the record of a plant, all its photos: path, why it was left out, most probable taxon on it alone, and its "
        "probability. Empty in the record of a photo. In CSV as JSON.",
    ] = ()
    photo_taken: Annotated[
        str | None,
        "Date and time of the photo from EXIF, ISO 8601, with the offset from UTC if the camera recorded it.",
    ] = None
    camera: Annotated[str | None, "Make and model of the camera, from EXIF."] = None
    latitude: Annotated[
        float | None,
        "Latitude of the photo from EXIF, decimal degrees (WGS 84), north is positive. Only with `--keep-location`, "
        "because published positions lead to poaching of rare plants.",
    ] = None
    longitude: Annotated[float | None, "Longitude of the photo, east is positive."] = None
    file_sha256: Annotated[
        str | None,
        "SHA-256 of the image file `path`, hexadecimal, as `sha256sum` prints it; missing if it could not be read.",
    ] = None
    identified_at: Annotated[
        str, "Date and time of the identification, ISO 8601, with the offset from UTC of the machine's clock."
    ] = field(default_factory=lambda: now(), compare=False)
    bundle: Annotated[
        str,
        "Identifier of the bundle: its name, `@`, the first 12 digits of the SHA-256 of its weights, `-`, and 6 digits "
        "that change with its temperature, thresholds and limits.",
    ]
    engine: Annotated[
        str | None,
        "What ran the network: torch, openvino or onnx, whose results are equal, or `openvino-int8` or `onnx-int8`, "
        "whose results differ slightly; missing if failed.",
    ] = None
    leafid_version: Annotated[str, "The version of leafid."]
    given: tuple[tuple[str, str | None], ...] = ()
    """Name and value of the further columns of the table that named the image, as ``GivenColumns`` names them. In
    results they are columns after those above."""

    @property
    def of_plant(self) -> bool:
        """Whether this is the result for a plant, from all its photos."""
        return bool(self.photos)

    @property
    def subject(self) -> str:
        """What the record is about: the name of the plant, or the path of the photo."""
        return self.plant if self.of_plant and self.plant is not None else self.path

    def to_dict(self) -> dict[str, Any]:
        """Return the record as values that JSON and Parquet can store, by column; missing ones are None."""
        return record_to_dict(self)

    @property
    def reason_code(self) -> str | None:
        """The code of ``reason``, without its detail."""
        return None if self.reason is None else self.reason.partition(":")[0]


def now() -> str:
    """Return the time as ISO 8601 to the second, with the offset from UTC, such as ``2026-03-01T14:05:00+07:00``."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


@dataclass(frozen=True)
class Column:
    """A field of a record; ``element_type`` is the type of the elements of a tuple."""

    name: str
    value_type: type
    optional: bool
    description: str
    element_type: type | None = None


def _columns() -> tuple[Column, ...]:
    hints = get_type_hints(Record, include_extras=True)
    columns = []
    for declared_field in fields(Record):
        if declared_field.name == "given":
            continue
        declared, description = get_args(hints[declared_field.name])
        members = get_args(declared) if isinstance(declared, UnionType) else (declared,)
        value_type = next(member for member in members if member is not type(None))
        origin, element_type = get_origin(value_type) or value_type, next(iter(get_args(value_type)), None)
        columns.append(Column(declared_field.name, origin, type(None) in members, description, element_type))
    return tuple(columns)


COLUMNS = _columns()
"""The fields of a record in order, without ``given``."""

COLUMN_NAMES = frozenset(column.name for column in COLUMNS)


def column_documentation() -> str:
    """Return the documentation of the columns of a result as a Markdown table."""
    type_names: dict[type | None, str] = {str: "text", Status: "text", float: "number"}
    type_names |= {
        Candidate: "list of name and probability",
        CitedSpecimen: "list of specimens",
        PlantPhoto: "list of photos",
    }
    rows = ["| column | type | may be missing | meaning |", "| --- | --- | --- | --- |"]
    for column in COLUMNS:
        missing = "yes" if column.optional else ""
        words = type_names[column.element_type or column.value_type]
        rows.append(f"| `{column.name}` | {words} | {missing} | {column.description} |")
    rows.append(
        "| further columns | text | yes | The columns of the table that named the image, such as `catalogNumber`; one "
        "with the name of a column above gets the prefix `input_`. Of a plant, different values stand beside each "
        "other, separated by ` \\| `. |"
    )
    return "\n".join(rows) + "\n"


def unicode_path(path: str) -> str:
    r"""Return a path as valid Unicode, the form in which it is written to files.

    Bytes of a file name that are not UTF-8 become escapes such as ``\xff``; other names do not change.
    """
    try:
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a lone surrogate in a Windows file name
        return path.encode("utf-8", "backslashreplace").decode("utf-8")


def record_to_dict(record: Record) -> dict[str, Any]:
    """Return a record as values that JSON and Parquet can store; missing ones are None."""
    values: dict[str, Any] = {column.name: getattr(record, column.name) for column in COLUMNS}
    values["path"] = unicode_path(record.path)
    values["status"] = record.status.value
    for column in COLUMNS:
        if column.value_type is tuple:
            values[column.name] = [asdict(element) for element in getattr(record, column.name)]
    for photo in values["photos"]:
        photo["path"] = unicode_path(photo["path"])
        photo["left_out"] = photo["left_out"] and unicode_path(photo["left_out"])
    if values["caution"] is not None:
        values["caution"] = unicode_path(values["caution"])
    if record.reason is not None:
        values["reason"] = unicode_path(record.reason)
    return values | dict(record.given)


def photo_metadata(shot: CaptureInfo, keep_location: bool) -> dict[str, Any]:
    """Return the fields of a record that come from EXIF; the position only if ``keep_location``."""
    metadata: dict[str, Any] = {"photo_taken": shot.taken, "camera": shot.camera}
    if keep_location and shot.position is not None:
        metadata["latitude"], metadata["longitude"] = shot.position
    return metadata
