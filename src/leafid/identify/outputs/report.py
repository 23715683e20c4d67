"""Records as a page that needs nothing else: a table to sort and filter, with thumbnails and the limits."""

import io
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from leafid.bundle import BundleInfo, read_bundle
from leafid.cores import usable_cores
from leafid.errors import ImageError
from leafid.html import page_template
from leafid.identify.leaf_characters import drawn_leaf, has_characters
from leafid.identify.outputs.report_forms import ReportForm, report_at
from leafid.identify.records import Record, Status, as_values
from leafid.identify.summary import Tally
from leafid.images import open_image
from leafid.progress import OnProgress
from leafid.sources import is_web_address
from leafid.statements import LIMITS_LONG
from leafid.trust import HeatOverlays, read_thumbnail

_THUMBNAIL = (120, 120)  # largest width and height in pixels
_QUALITY = 60  # of JPEG: a thumbnail has 3 KB, so that 5,000 rows make 20 MB
_LEAF = 260  # longer side of a drawn leaf in pixels, at which its veins can be told apart
_HEAT = 200  # longer side of a heat map in pixels
_AT_ONCE = 64

HeatMaps = Literal["none", "undetermined", "all"]
"""For which images a report shows what speaks for the first candidate rather than the next, and the reverse."""

_SHOWN = (
    "path",
    "status",
    "scientific_name",
    "probability",
    "target_probability",
    "candidates",
    "prediction_set",
    "reason",
)
_MORE = ("flora_sentence", "photo_taken", "camera", "specimens")


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
    """Write the report, all or nothing; images are opened again for their thumbnails, one that is gone has none.

    Images of the web are not fetched again: they have a link and no thumbnail, and the page says so. Where a record
    tells of leaf characters, the leaf is measured again, and drawn with what was measured on it. Where it cites
    specimens, those of the first candidate and of the next stand side by side, with their pictures where the bundle has
    them.

    Args:
        records: in order.
        path: a file that ends in ``.html`` and holds everything, or a folder, for more than ``ROWS_IN_A_FILE`` images:
            ``index.html`` in it loads rows and pictures from files beside it.
        info: of the bundle that answered.
        on: when the images were identified.
        images: number of records, for ``on_progress``.
        bundle: its folder, or the run that holds it; without it there are no heat maps and no pictures of specimens.
        heat_maps: for which images, those of the web left out; each takes about as long as two answers.
        device: where heat maps are computed.
        on_progress: told how many thumbnails are done.

    Raises:
        OutputError: it cannot be written, or another folder is there.
        BundleError: ``bundle`` is missing or damaged.
    """
    folder = None if bundle is None else read_bundle(bundle).folder
    heat = None if folder is None or heat_maps == "none" else HeatOverlays.of_bundle(folder, device=device)
    tally = Tally()
    specimens: dict[str, str] = {}
    with report_at(path) as form:
        for batch, pictures in _with_pictures(iter(records)):
            tally.add(batch)
            for record, shown in zip(batch, pictures, strict=True):
                wanted = heat is not None and (heat_maps == "all" or record.status is Status.UNDETERMINED)
                maps = _heat(heat, record, form) if heat is not None and wanted else []
                form.add(_row(record, shown, form) | {"heat": maps})
                if folder is not None:
                    _add_pictures(specimens, record, folder, form)
            if on_progress:
                on_progress(tally.images, images or tally.images)
        summary = tally.summary(earlier=0, seconds=0)
        page = partial(
            page_template("leafid.identify", "report.html").render,
            info=info,
            on=on,
            images=summary.images,
            statuses={status.value: number for status, number in summary.statuses.items()},
            taxa=summary.taxa,
            target=info.taxonomy.target,
            specimens=specimens,
            limits=LIMITS_LONG,
        )
        form.finish(page)


@dataclass(frozen=True)
class _Pictures:
    """JPEGs of an image's thumbnail and of its measured leaf; None where there is none."""

    thumbnail: bytes | None = None
    leaf: bytes | None = None


def _with_pictures(records: Iterator[Record]) -> Iterator[tuple[Sequence[Record], Sequence[_Pictures]]]:
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="leafid-thumbnail") as pool:
        while batch := tuple(islice(records, _AT_ONCE)):
            yield batch, tuple(pool.map(_pictures, batch))


def _pictures(record: Record) -> _Pictures:
    if record.status is Status.FAILED or is_web_address(record.path):
        return _Pictures()
    path = Path(record.path)
    try:
        thumbnail = open_image(path, needed_side=min(_THUMBNAIL)).rgb
        leaf = drawn_leaf(path, longest=_LEAF) if has_characters(record) else None
    except ImageError:
        return _Pictures()
    thumbnail.thumbnail(_THUMBNAIL)
    return _Pictures(_jpeg(thumbnail), None if leaf is None else _jpeg(leaf))


def _jpeg(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=_QUALITY)
    return content.getvalue()


def _heat(heat: HeatOverlays, record: Record, form: ReportForm) -> list[dict[str, str]]:
    """Name and heat map of the two best candidates; nothing where there are no two, or the image is gone."""
    if record.status is Status.FAILED or is_web_address(record.path) or len(record.candidates) < 2:
        return []
    names = (record.candidates[0].scientific_name, record.candidates[1].scientific_name)
    try:
        pictures = heat.draw(Path(record.path), names, longest=_HEAT)
    except ImageError:
        return []
    return [
        {"scientific_name": name, "picture": form.picture(_jpeg(picture))}
        for name, picture in zip(names, pictures, strict=True)
    ]


def _add_pictures(specimens: dict[str, str], record: Record, bundle: Path, form: ReportForm) -> None:
    """Add the pictures of cited specimens, each once however often it is cited."""
    for one in record.specimens:
        if one.image_id not in specimens and (content := read_thumbnail(bundle, one.image_id)) is not None:
            specimens[one.image_id] = form.picture(content)


def _row(record: Record, pictures: _Pictures, form: ReportForm) -> dict[str, Any]:
    values = as_values(record)
    shown = {name: values[name] for name in (*_SHOWN, *_MORE)}
    kept = {"thumbnail": pictures.thumbnail, "leaf": pictures.leaf}
    return shown | {name: None if jpeg is None else form.picture(jpeg) for name, jpeg in kept.items()}
