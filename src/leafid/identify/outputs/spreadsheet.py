"""Writes records as a spreadsheet (.xlsx) for reading: headings in a botanist's words, one candidate in each cell.

Text stays text: a cell that begins as a formula does is stored as a string and marked as such, so that it is not
evaluated when somebody edits it. A second sheet says what the columns mean and what the results cannot tell.
"""

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leafid.bundle import BundleInfo
from leafid.destinations import MARK, Destination
from leafid.errors import OutputError
from leafid.files import written_atomically
from leafid.identify.records import Record, Status, unicode_path
from leafid.tables import FORMULA_STARTS
from leafid.zip_files import DAMAGE, TooManyMembersError, check_member_count

if TYPE_CHECKING:
    from openpyxl import Workbook

MAX_RECORDS = 1_048_575
"""Rows that a sheet of an .xlsx file can have, without the headings."""

MAX_COLUMNS = 16_384
"""Columns that it can have."""

_MAX_CELL = 32_767  # characters
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MAX_MEMBERS = 1000  # of a spreadsheet; leafid writes ten
_MAX_PROPERTIES = 100_000  # bytes; leafid writes about 1,000, so a larger one is not its own
_RESULTS = {Status.IDENTIFIED: "identified", Status.UNDETERMINED: "undetermined", Status.FAILED: "not read"}
_ORDINALS = ("1st", "2nd", "3rd")

Value = str | float | None


@dataclass(frozen=True)
class _Column:
    """A column: its heading, what it means, how wide it is, and its value for a record."""

    heading: str
    meaning: str
    value: Callable[[Record], Value]
    width: int = 14
    number_format: str | None = None
    italic: bool = False


def spreadsheet_destination(path: Path) -> Destination:
    """Return the destination of a spreadsheet.

    Raises:
        OutputError: the extension is not ``.xlsx``.
    """
    if path.suffix.lower() != ".xlsx":
        raise OutputError(f"--spreadsheet {path}: name a file that ends in .xlsx.")
    return Destination("--spreadsheet", path, _is_own, makes_folders=False)


def _is_own(path: Path) -> bool:
    try:
        with path.open("rb") as content:
            check_member_count(content, _MAX_MEMBERS)
            with zipfile.ZipFile(content) as opened:
                properties = opened.getinfo("docProps/core.xml")
                return properties.file_size <= _MAX_PROPERTIES and MARK.encode() in opened.read(properties)
    except (OSError, KeyError, TooManyMembersError, *DAMAGE):
        return False


def write_spreadsheet(records: Callable[[], Iterable[Record]], path: Path, info: BundleInfo) -> int:
    """Write the records atomically, one row for each; return their number.

    Columns in which no record has a value are left out.

    Args:
        records: returns the records, in order; called twice.
        path: the file to write.
        info: of the bundle.

    Raises:
        OutputError: the file cannot be written, or there are more than ``MAX_RECORDS`` or ``MAX_COLUMNS``.
    """
    from openpyxl import Workbook

    columns, number = _used_columns(records(), info)
    if number > MAX_RECORDS:
        raise OutputError(f"{path}: {too_many_records(number)}")
    if len(columns) > MAX_COLUMNS:
        raise OutputError(f"{path}: {too_many_columns(len(columns))}")
    book = Workbook(write_only=True)
    book.properties.creator = MARK
    book.properties.title = f"Identification by {info.identifier}"
    sheet = book.create_sheet("Identifications")
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = f"A1:{_letters(len(columns))}{number + 1}"
    for index, column in enumerate(columns, start=1):
        sheet.column_dimensions[_letters(index)].width = column.width
    sheet.append([_cell(sheet, column.heading, bold=True) for column in columns])
    for record in records():
        sheet.append([_cell(sheet, column.value(record), column=column) for column in columns])
    _add_explanations(book, columns, info)
    with written_atomically(path) as temporary:
        book.save(temporary)
    return number


def too_many_records(number: int) -> str:
    """Return the sentence for more records than ``MAX_RECORDS``."""
    return (
        f"{number:,} records are too many for a spreadsheet, which has {MAX_RECORDS + 1:,} rows. Use the result file, "
        "or identify the images in parts with --shard."
    )


def too_many_columns(number: int) -> str:
    """Return the sentence for more columns than ``MAX_COLUMNS``."""
    return (
        f"{number:,} columns are too many for a spreadsheet, which has {MAX_COLUMNS:,}. Leave out --spreadsheet, or "
        "columns of the table that names the images."
    )


def _used_columns(records: Iterable[Record], info: BundleInfo) -> tuple[list[_Column], int]:
    """Return the columns that have a value in some record, and the number of records."""
    candidates, number, used = 0, 0, set[str]()
    given: tuple[str, ...] = ()
    fixed = [*_first_columns(info), *_last_columns()]
    for record in records:
        number += 1
        given = given or tuple(name for name, _ in record.given)
        candidates = max(candidates, len(record.candidates))
        used |= {column.heading for column in fixed if column.heading not in used and column.value(record) is not None}
    image, *first = [column for column in _first_columns(info) if column.heading in used or not number]
    last = [column for column in _last_columns() if column.heading in used]
    further = [_given_column(index, name) for index, name in enumerate(given)]
    return [image, *further, *first, *_candidate_columns(candidates), *last], number


def _first_columns(info: BundleInfo) -> list[_Column]:
    target = info.taxonomy.target
    probability = "Calibrated probability of this taxon; of an undetermined image, of the first candidate."
    columns = [
        _Column("Image", "The photo, as it was named.", lambda record: unicode_path(record.path), 34),
        _Column("Plant", "The individual that the photos show.", lambda record: record.plant, 20),
        _Column("Photos of the plant", "Used and not used; the result file lists them.", _photo_numbers, 18),
        _Column("Result", "Identified, undetermined, or not read.", lambda record: _RESULTS[record.status], 14),
        _Column("Taxon", "The name, if identified.", lambda record: record.scientific_name, 26, italic=True),
        _Column("Rank", "Rank of the taxon.", lambda record: record.taxon_rank, 9),
        _Column("Probability", probability, lambda record: record.probability, 12, "0.0%"),
        _Column("Why no name", "The reason for having no name.", _reason, 26),
        _Column("Caution", "What to know before using the name.", lambda record: record.caution, 40),
    ]
    if target is not None:
        meaning = "Calibrated probability of the taxon that the bundle is for."
        wanted = _Column(f"Probability of {target}", meaning, lambda record: record.target_probability, 14, "0.0%")
        columns.insert(7, wanted)
    return columns


def _candidate_columns(number: int) -> list[_Column]:
    columns = []
    for index in range(number):
        ordinal = _ORDINALS[index] if index < len(_ORDINALS) else f"{index + 1}th"

        def name(record: Record, index: int = index) -> Value:
            return record.candidates[index].scientific_name if index < len(record.candidates) else None

        def probability(record: Record, index: int = index) -> Value:
            return record.candidates[index].probability if index < len(record.candidates) else None

        meaning = "The most probable taxa, best first."
        columns.append(_Column(f"{ordinal} candidate", meaning, name, 26, italic=True))
        columns.append(_Column(f"{ordinal}: probability", "Its calibrated probability.", probability, 12, "0.0%"))
    return columns


def _last_columns() -> list[_Column]:
    excluded = "All taxa that cannot be excluded, best first (conformal prediction set)."
    floras = "The characters of the best leaf compared with the ranges that floras give."
    look_up = "Characters of the plant that would separate best what cannot be excluded."
    hash_ = "SHA-256 of the image file, by which it can be recognised."
    return [
        _Column("Cannot be excluded", excluded, _prediction_set, 40),
        _Column("Pairs of secondary veins", "Of the best leaf.", lambda record: record.secondary_vein_pairs, 12, "0.0"),
        _Column(
            "Angle of secondary veins (°)", "To the midrib.", lambda record: record.secondary_vein_angle_deg, 12, "0.0"
        ),
        _Column("Length : width", "Of the blade.", lambda record: record.length_width_ratio, 12, "0.00"),
        _Column("Leaf base", "Form of the base.", lambda record: record.base_form, 12),
        _Column("Leaf apex", "Form of the apex.", lambda record: record.apex_form, 12),
        _Column("Leaf and floras", floras, lambda record: record.flora_sentence, 50),
        _Column("To look up", look_up, lambda record: record.next_question, 50),
        _Column("Photo taken", "From the photo's EXIF.", lambda record: record.photo_taken, 22),
        _Column("Camera", "From the photo's EXIF.", lambda record: record.camera, 20),
        _Column("Latitude", "Of the photo, decimal degrees (WGS 84).", lambda record: record.latitude, 12, "0.00000"),
        _Column("Longitude", "East is positive.", lambda record: record.longitude, 12, "0.00000"),
        _Column("Date of identification", "With the offset from UTC.", lambda record: record.identified_at, 26),
        _Column("Bundle", "The model that was used.", lambda record: record.bundle, 34),
        _Column("leafid", "The version of leafid.", lambda record: record.leafid_version, 9),
        _Column("SHA-256 of the file", hash_, lambda record: record.file_sha256, 20),
    ]


def _given_column(index: int, name: str) -> _Column:
    def value(record: Record) -> Value:
        return record.given[index][1] if index < len(record.given) else None

    return _Column(name, "From the table that named the image.", value, 18)


def _reason(record: Record) -> Value:
    return None if record.reason is None else unicode_path(record.reason).replace("_", " ")


def _photo_numbers(record: Record) -> Value:
    if not record.of_plant:
        return None
    left_out = sum(photo.left_out is not None for photo in record.photos)
    return f"{len(record.photos) - left_out} used" + (f", {left_out} left out" if left_out else "")


def _prediction_set(record: Record) -> Value:
    return ", ".join(candidate.scientific_name for candidate in record.prediction_set) or None


def _add_explanations(book: "Workbook", columns: Sequence[_Column], info: BundleInfo) -> None:
    sheet = book.create_sheet("About")
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 30, 90
    for first, second in _explanations(columns, info):
        sheet.append([_cell(sheet, first, bold=not second), _cell(sheet, second, wrap=True)])


def _explanations(columns: Sequence[_Column], info: BundleInfo) -> Iterator[tuple[str, str]]:
    yield "What these results cannot tell", ""
    for sentence in info.trained_on.long:
        yield "", sentence
    yield "Bundle", info.identifier
    yield "Columns", ""
    for column in columns:
        yield column.heading, column.meaning


def _cell(sheet: Any, value: Value, *, column: _Column | None = None, bold: bool = False, wrap: bool = False) -> Any:  # noqa: ANN401 -- openpyxl has no types
    """Return a cell; text is never a formula."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Alignment, Font

    if isinstance(value, str):
        value = _NOT_IN_XML.sub(" ", value)
        value = value if len(value) <= _MAX_CELL else value[: _MAX_CELL - 1] + "…"
    cell = WriteOnlyCell(sheet, value)
    if isinstance(value, str):
        cell.data_type = "s"  # openpyxl makes a formula of =
        if value.startswith((*FORMULA_STARTS, "'")):
            cell.quotePrefix = True  # else it becomes a formula when somebody edits the cell
    if column is not None and column.number_format is not None:
        cell.number_format = column.number_format
    if bold or (column is not None and column.italic):
        cell.font = Font(bold=bold, italic=not bold)
    wide = column is not None and column.width >= 40
    if bold or wrap or wide:
        cell.alignment = Alignment(wrap_text=True, vertical="top")
    return cell


def _letters(index: int) -> str:
    from openpyxl.utils import get_column_letter

    return str(get_column_letter(index))
