"""Writes a report for each sample, to be printed on A4 and signed: HTML, and PDF where a Chromium is installed.

A sample is one photo, or all photos with the same number in a column of the table that named them.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from leafid.bundle import BundleInfo
from leafid.destinations import Destination, contains_only, is_marked
from leafid.errors import OutputError, UsageError
from leafid.files import write_text
from leafid.html import page_template
from leafid.identify.evidence.leaf_characters import draw_best_leaf, has_characters
from leafid.identify.outputs.browser_pdf import print_to_pdf
from leafid.identify.outputs.pictures import data_address, jpeg, reduced
from leafid.identify.records import Record, Status, unicode_path
from leafid.images import guard_image, image_sha256
from leafid.progress import OnProgress
from leafid.sources import is_web_address

_PICTURE_SIDE, _LEAF_SIDE = 900, 700  # pixels of the longer side; on paper 8 cm, so 290 dots per inch
_QUALITY = 80
_CHARACTER_WORDS = {
    "secondary_vein_pairs": "Pairs of secondary veins",
    "secondary_vein_angle_deg": "Angle to the midrib, degrees",
    "length_width_ratio": "Length : width of the blade",
    "base_form": "Form of the base",
    "apex_form": "Form of the apex",
}
_MAX_NAME_BYTES = 120  # of 255 that file systems allow; endings and those of unfinished files are added
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class SampleReportSettings:
    """What sample reports need beside the records.

    Attributes:
        folder: the folder of the reports.
        column: the given column with the number of the sample; None: each photo is a sample, numbered by its file.
        operator: who ran the identification; None: a line to be filled in by hand.
        chromium: the program that prints PDF files too; None: HTML only.
    """

    folder: Path
    column: str | None = None
    operator: str | None = None
    chromium: str | None = None


def sample_reports_destination(folder: Path) -> Destination:
    """Return the destination of sample reports: a folder."""
    names = contains_only(r"[^/]*\.html", r"[^/]*\.pdf")

    def is_own(path: Path) -> bool:
        return names(path) and all(is_marked(page) for page in path.glob("*.html"))

    return Destination("--sample-reports", folder, is_own, "folder", makes_folders=False)


def write_sample_reports(
    records: Callable[[], Iterable[Record]],
    settings: SampleReportSettings,
    info: BundleInfo,
    *,
    images: int | None = None,
    on_progress: OnProgress | None = None,
) -> int:
    """Write a report for each sample; return the number of samples.

    Images are read again for their pictures. One that has changed since it was identified has no picture, and the
    report says so.

    Args:
        records: returns the records, in order; called twice.
        settings: see ``SampleReportSettings``.
        info: of the bundle.
        images: number of records, for ``on_progress``.
        on_progress: called with the number of records done so far.

    Raises:
        UsageError: a record has no number in the column, or no table has it.
        OutputError: a report cannot be written.
    """
    numbers = _numbers(records(), settings.column)
    template = page_template("leafid.identify", "sample.html")
    names = _FileNames()
    done = 0
    try:
        settings.folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{settings.folder} cannot be written: {error.strerror or error}.") from None
    for number, photos in _samples(records(), settings.column, numbers):
        page = settings.folder / f"{names.of(number)}.html"
        content = template.render(
            number=number,
            footer=re.sub(r"[^\w ./:;,()#-]", " ", number),  # stands in the style sheet
            photos=[_photo(record) for record in photos],
            settings=settings,
            info=info,
            percent=_percent,
        )
        write_text(page, content)
        if settings.chromium is not None:
            print_to_pdf(page, page.with_suffix(".pdf"), settings.chromium)
        done += len(photos)
        if on_progress:
            on_progress(done, images or done)
    return len(numbers)


def _numbers(records: Iterable[Record], column: str | None) -> dict[str, int]:
    """Return the number of photos of each sample, in the order of their first photos.

    Raises:
        UsageError: see ``write_sample_reports``.
    """
    counts: dict[str, int] = {}
    for index, record in enumerate(records, start=1):
        number = _number(record, index, column)
        counts[number] = counts.get(number, 0) + 1
    return counts


def _number(record: Record, index: int, column: str | None) -> str:
    if column is None:
        return f"{index}: {_own_name(record)}"
    given = dict(record.given)
    if column not in given:
        columns = ", ".join(given) or "none: name the images by a table"
        raise UsageError(f"--sample-column {column}: the images have no such column; they have {columns}.")
    number = given[column]
    if number is None:
        raise UsageError(f"--sample-column {column}: {unicode_path(record.path)} has no value there. Fill it in.")
    return unicodedata.normalize("NFC", number)  # macOS and some programs decompose letters


def _own_name(record: Record) -> str:
    """Return the name of a sample without a number: the plant, or the file."""
    return record.subject if record.of_plant else Path(unicode_path(record.path)).name


def _samples(
    records: Iterable[Record], column: str | None, counts: dict[str, int]
) -> Iterator[tuple[str, Sequence[Record]]]:
    """Yield number and records of each sample as soon as its last record has come."""
    waiting: dict[str, list[Record]] = {}
    for index, record in enumerate(records, start=1):
        number = _number(record, index, column)
        photos = waiting.setdefault(number, [])
        photos.append(record)
        if len(photos) == counts[number]:
            yield number if column else _own_name(record), waiting.pop(number)


class _FileNames:
    """Gives each sample a file name that every system accepts, and no two the same."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}  # with the last number that was added to it

    def of(self, number: str) -> str:
        name = re.sub(r"[^\w.-]+", "_", number).encode("utf-8", "ignore")[:_MAX_NAME_BYTES].decode("utf-8", "ignore")
        name = name.strip("._") or "sample"
        name = f"_{name}" if _RESERVED.fullmatch(name) else name
        unique, count = name, self._taken.get(name.casefold(), 0)
        while unique.casefold() in self._taken:
            count += 1
            unique = f"{name}_{count + 1}"
        self._taken[name.casefold()] = count
        self._taken.setdefault(unique.casefold(), 0)
        return unique


@dataclass(frozen=True)
class _Photo:
    """A photo of a sample, for the page."""

    record: Record
    path: str
    picture: str | None
    leaf: str | None
    note: str | None
    """Why there is no picture."""
    characters: tuple[tuple[str, str], ...]

    @property
    def date(self) -> str:
        """Date, time and zone of the identification."""
        return re.sub(r"([+-]\d\d:\d\d)$", r" UTC\1", self.record.identified_at.replace("T", " "))


def _percent(probability: float) -> str:
    """Return a probability in words; none is shown as 100 % or 0 % because of rounding."""
    if probability > 0.9995:
        return "> 99.9 %"
    return "< 0.1 %" if probability < 0.0005 else f"{100 * probability:.1f} %"


def _photo(record: Record) -> _Photo:
    picture, leaf, note = _pictures(record)
    measured = ((words, getattr(record, name)) for name, words in _CHARACTER_WORDS.items())
    characters = tuple(
        (words, f"{value:g}" if isinstance(value, float) else value) for words, value in measured if value
    )
    return _Photo(record, unicode_path(record.path), picture, leaf, note, characters)


def _pictures(record: Record) -> tuple[str | None, str | None, str | None]:
    """Return the addresses of the picture and of the drawing of the leaf, and why there is no picture."""
    if record.status is Status.FAILED:
        return None, None, "The image could not be read."
    if is_web_address(record.path):
        return None, None, "The image is on the web; it is not fetched again."
    path = Path(record.path)
    if record.file_sha256 is not None and image_sha256(path) != record.file_sha256:
        return None, None, "The file is gone or has changed since it was identified, so its picture is not shown."
    picture = reduced(path, _PICTURE_SIDE)
    if picture is None:
        return None, None, "The image could not be read again."
    with guard_image(path):
        leaf = draw_best_leaf(path, longest=_LEAF_SIDE) if has_characters(record) else None
    return (
        data_address(jpeg(picture, _QUALITY)),
        None if leaf is None else data_address(jpeg(leaf, _QUALITY)),
        None,
    )
