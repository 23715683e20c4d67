"""Records as one HTML file that needs nothing else: a table to sort and filter, with thumbnails and the limits."""

import base64
import io
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image

from leafid.bundle import BundleInfo
from leafid.cores import usable_cores
from leafid.errors import ImageError
from leafid.files import written_atomically
from leafid.identify.flora import drawn_leaf, tells_of_characters
from leafid.identify.records import Record, Status, as_values
from leafid.identify.summary import Tally
from leafid.images import open_image
from leafid.progress import OnProgress
from leafid.statements import LIMITS_LONG

_THUMBNAIL = (120, 120)  # largest width and height in pixels
_QUALITY = 60  # of JPEG: a thumbnail has 3 KB, so that 5,000 rows make 20 MB
_LEAF = 260  # longer side of a drawn leaf in pixels, at which its veins can be told apart
_AT_ONCE = 64
_SHOWN = ("path", "status", "scientific_name", "score", "target_score", "candidates", "prediction_set", "reason")


def write_report(
    records: Iterable[Record],
    path: Path,
    info: BundleInfo,
    *,
    on: date,
    images: int | None = None,
    on_progress: OnProgress | None = None,
) -> None:
    """Write the report, all or nothing; images are opened again for their thumbnails, one that is gone has none.

    Where a record tells of leaf characters, the leaf is measured again, and drawn with what was measured on it.

    Args:
        records: in order.
        path: the file.
        info: of the bundle that answered.
        on: when the images were identified.
        images: number of records, for ``on_progress``.
        on_progress: told how many thumbnails are done.

    Raises:
        OutputError: the file cannot be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    tally = Tally()
    rows: list[dict[str, Any]] = []
    for batch, pictures in _with_pictures(iter(records)):
        tally.add(batch)
        rows += map(_row, batch, pictures)
        if on_progress:
            on_progress(len(rows), images or len(rows))
    environment = Environment(
        loader=PackageLoader("leafid.identify"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    summary = tally.summary(earlier=0, seconds=0)
    html = environment.get_template("report.html").render(
        info=info,
        on=on,
        rows=rows,
        statuses={status.value: number for status, number in summary.statuses.items()},
        taxa=summary.taxa,
        target=info.taxonomy.target,
        limits=LIMITS_LONG,
    )
    with written_atomically(path) as temporary:
        temporary.write_text(html, encoding="utf-8")


@dataclass(frozen=True)
class _Pictures:
    """Data addresses of an image's thumbnail and of its measured leaf; None where there is none."""

    thumbnail: str | None = None
    leaf: str | None = None


def _with_pictures(records: Iterator[Record]) -> Iterator[tuple[Sequence[Record], Sequence[_Pictures]]]:
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="leafid-thumbnail") as pool:
        while batch := tuple(islice(records, _AT_ONCE)):
            yield batch, tuple(pool.map(_pictures, batch))


def _pictures(record: Record) -> _Pictures:
    if record.status is Status.FAILED:
        return _Pictures()
    path = Path(record.path)
    try:
        thumbnail = open_image(path, needed_side=min(_THUMBNAIL)).rgb
        leaf = drawn_leaf(path, longest=_LEAF) if tells_of_characters(record) else None
    except ImageError:
        return _Pictures()
    thumbnail.thumbnail(_THUMBNAIL)
    return _Pictures(_data_address(thumbnail), None if leaf is None else _data_address(leaf))


def _data_address(picture: Image.Image) -> str:
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def _row(record: Record, pictures: _Pictures) -> dict[str, Any]:
    values = as_values(record)
    shown = {name: values[name] for name in (*_SHOWN, "flora_sentence")}
    return shown | {"thumbnail": pictures.thumbnail, "leaf": pictures.leaf}
