"""Records as one HTML file that needs nothing else: a table to sort and filter, with thumbnails and the limits."""

import base64
import io
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from leafid.bundle import BundleInfo
from leafid.cores import usable_cores
from leafid.errors import ImageError
from leafid.files import written_atomically
from leafid.identify.records import Record, Status, as_values
from leafid.identify.summary import Tally
from leafid.images import open_image
from leafid.progress import OnProgress
from leafid.statements import LIMITS_LONG

_THUMBNAIL = (120, 120)  # largest width and height in pixels
_QUALITY = 60  # of JPEG: a thumbnail has 3 KB, so that 5,000 rows make 20 MB
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
    for batch, thumbnails in _with_thumbnails(iter(records)):
        tally.add(batch)
        rows += map(_row, batch, thumbnails)
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


def _with_thumbnails(records: Iterator[Record]) -> Iterator[tuple[Sequence[Record], Sequence[str | None]]]:
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="leafid-thumbnail") as pool:
        while batch := tuple(islice(records, _AT_ONCE)):
            yield batch, tuple(pool.map(_thumbnail, batch))


def _thumbnail(record: Record) -> str | None:
    """A data address, or None where the file cannot be read (again)."""
    if record.status is Status.FAILED:
        return None
    try:
        picture = open_image(Path(record.path), needed_side=min(_THUMBNAIL)).rgb
    except ImageError:
        return None
    picture.thumbnail(_THUMBNAIL)
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def _row(record: Record, thumbnail: str | None) -> dict[str, Any]:
    values = as_values(record)
    return {name: values[name] for name in (*_SHOWN, "flora_sentence")} | {"thumbnail": thumbnail}
