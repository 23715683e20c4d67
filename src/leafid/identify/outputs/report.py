"""Writes records as an HTML report: a table to sort and filter, with thumbnails and the statement of limits."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from leafid.bundle import BundleInfo, read_bundle, read_thumbnail
from leafid.cores import usable_cores
from leafid.errors import ImageError
from leafid.html import page_template
from leafid.identify.evidence.leaf_characters import draw_best_leaf, has_characters
from leafid.identify.outputs.pictures import jpeg, reduced
from leafid.identify.outputs.report_files import ReportWriter, open_report
from leafid.identify.records import Record, Status, record_to_dict
from leafid.identify.summary import Tally
from leafid.images import guard_image
from leafid.progress import OnProgress
from leafid.sources import is_web_address
from leafid.trust import HeatOverlays

_THUMBNAIL_SIDE = 120  # longer side in pixels
_JPEG_QUALITY = 60  # a thumbnail has 3 KB, so that 5,000 rows need 20 MB
_LEAF_SIDE = 260  # longer side of a leaf drawing in pixels, large enough to distinguish its veins
_HEAT_MAP_SIDE = 200  # longer side of a heat map in pixels
_BATCH_RECORDS = 64

HeatMaps = Literal["none", "undetermined", "all"]
"""Images for which a report shows heat maps of the best two candidates."""

_COLUMNS = (
    "path",
    "status",
    "scientific_name",
    "probability",
    "target_probability",
    "candidates",
    "prediction_set",
    "reason",
)
_DETAILS = ("caution", "flora_sentence", "next_question", "photo_taken", "camera", "specimens", "plant", "photos")


def write_report(
    records: Iterable[Record],
    path: Path,
    info: BundleInfo,
    *,
    on: date,
    images: int | None = None,
    bundle: Path | None = None,
    heat_maps: HeatMaps = "none",
    device: str = "auto",
    on_progress: OnProgress | None = None,
) -> None:
    """Write the report atomically. Images are read again for their thumbnails; a missing file has no thumbnail.

    Images from the web are not fetched again: they have a link and a note instead of a thumbnail. The leaf of a record
    with leaf characters is measured again and drawn. Cited specimens of the best two candidates are shown side by side,
    with thumbnails if the bundle has them. The record of a plant lists all its photos, with what each says alone.

    Args:
        records: in order.
        path: a self-contained file that ends in ``.html``; or a folder, for more than ``MAX_ROWS_IN_FILE`` images,
            whose ``index.html`` loads rows and pictures from separate files.
        info: of the bundle.
        on: date of the identification.
        images: number of records, for ``on_progress``.
        bundle: the bundle folder or its run; without it there are no heat maps and no thumbnails of specimens.
        heat_maps: images for which heat maps are drawn, except those from the web; a pair takes about two inferences.
        device: device on which heat maps are computed.
        on_progress: called with the number of records written so far.

    Raises:
        OutputError: the report cannot be written, or ``path`` is a folder without a report.
        BundleError: ``bundle`` is missing or damaged.
    """
    folder = None if bundle is None else read_bundle(bundle).folder
    heat = None if folder is None or heat_maps == "none" else HeatOverlays.of_bundle(folder, device=device)
    tally, plants = Tally(), 0
    specimens: dict[str, str] = {}
    with open_report(path) as report:
        for batch, pictures in _with_pictures(iter(records)):
            tally.add(batch)
            plants += sum(record.of_plant for record in batch)
            for record, own_pictures in zip(batch, pictures, strict=True):
                wanted = heat is not None and (heat_maps == "all" or record.status is Status.UNDETERMINED)
                maps = _heat_maps(heat, record, report) if heat is not None and wanted else []
                report.add_row(_row(record, own_pictures, report) | {"heat": maps})
                if folder is not None:
                    _add_specimen_thumbnails(specimens, record, folder, report)
            if on_progress:
                on_progress(tally.images, images or tally.images)
        summary = tally.summary(resumed=0, seconds=0)
        page = partial(
            page_template("leafid.identify", "report.html").render,
            info=info,
            on=on,
            records=summary.images,
            unit=_unit(summary.images, plants),
            statuses={status.value: number for status, number in summary.statuses.items()},
            taxa=summary.taxa,
            target=info.taxonomy.target,
            specimens=specimens,
            limits=info.trained_on.long,
        )
        report.finish(page)


def _unit(records: int, plants: int) -> str:
    """Return what the rows are: photos of plants may stand among the plants."""
    return "images" if not plants else "plants" if plants == records else "plants and photos"


@dataclass(frozen=True)
class _Pictures:
    """JPEG bytes of an image's thumbnail and of its measured leaf, if any."""

    thumbnail: bytes | None = None
    leaf: bytes | None = None


def _with_pictures(records: Iterator[Record]) -> Iterator[tuple[Sequence[Record], Sequence[_Pictures]]]:
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="leafid-thumbnail") as pool:
        while batch := tuple(islice(records, _BATCH_RECORDS)):
            yield batch, tuple(pool.map(_pictures, batch))


def _pictures(record: Record) -> _Pictures:
    if record.status is Status.FAILED or is_web_address(record.path):
        return _Pictures()
    path = Path(record.path)
    try:
        with guard_image(path):
            thumbnail = reduced(path, _THUMBNAIL_SIDE)
            leaf = draw_best_leaf(path, longest=_LEAF_SIDE) if thumbnail and has_characters(record) else None
    except ImageError:
        return _Pictures()
    return _Pictures(
        None if thumbnail is None else jpeg(thumbnail, _JPEG_QUALITY),
        None if leaf is None else jpeg(leaf, _JPEG_QUALITY),
    )


def _heat_maps(heat: HeatOverlays, record: Record, report: ReportWriter) -> list[dict[str, str]]:
    """Return name and heat map of the best two candidates; nothing if there are fewer or the image cannot be read."""
    if record.status is Status.FAILED or is_web_address(record.path) or len(record.candidates) < 2:
        return []
    names = (record.candidates[0].scientific_name, record.candidates[1].scientific_name)
    try:
        pictures = heat.draw(Path(record.path), names, longest=_HEAT_MAP_SIDE)
    except ImageError:
        return []
    return [
        {"scientific_name": name, "picture": report.add_picture(jpeg(picture, _JPEG_QUALITY))}
        for name, picture in zip(names, pictures, strict=True)
    ]


def _add_specimen_thumbnails(specimens: dict[str, str], record: Record, bundle: Path, report: ReportWriter) -> None:
    """Add the thumbnails of cited specimens, each once."""
    for specimen in record.specimens:
        if specimen.image_id not in specimens and (content := read_thumbnail(bundle, specimen.image_id)) is not None:
            specimens[specimen.image_id] = report.add_picture(content)


def _row(record: Record, pictures: _Pictures, report: ReportWriter) -> dict[str, Any]:
    values = record_to_dict(record)
    fields = {name: values[name] for name in (*_COLUMNS, *_DETAILS)}
    fields["given"] = [[name, value] for name, value in record.given if value is not None]
    jpegs = {"thumbnail": pictures.thumbnail, "leaf": pictures.leaf}
    return fields | {name: None if jpeg is None else report.add_picture(jpeg) for name, jpeg in jpegs.items()}
