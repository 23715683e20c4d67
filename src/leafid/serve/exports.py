"""Records that the page shows, as the files that `leafid identify` writes."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leafid.bundle import BundleInfo
from leafid.errors import OutputError
from leafid.identify import Record, open_output, record_from_dict, write_archive, write_spreadsheet
from leafid.serve.errors import RequestError
from leafid.serve.leafid_api import ERRORS
from leafid.serve.service import service_of

router = APIRouter(prefix="/v1", tags=["leafid"])

MAX_RECORDS = 5_000
"""The page holds no more rows than that in a browser's memory; `leafid identify` has no limit."""
MAX_COLUMNS = 1_000
"""Columns of the tables that named the images; the page has none."""

FileFormat = Literal["csv", "jsonl", "xlsx", "darwin-core"]
"""``darwin-core``: an archive (.zip)."""

_KINDS = {
    "csv": (".csv", "text/csv; charset=utf-8"),
    "jsonl": (".jsonl", "application/jsonl"),
    "xlsx": (".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "darwin-core": (".zip", "application/zip"),
}


class Records(BaseModel):
    """Records as the service gave them."""

    records: list[dict[str, Any]] = Field(min_length=1, max_length=MAX_RECORDS)


@router.post("/export/{file_format}", responses=ERRORS)
async def export(request: Request, file_format: FileFormat, sent: Records) -> Response:
    """Return records as a file: CSV, JSON lines, spreadsheet or Darwin Core Archive. Nothing of it is kept."""
    service = service_of(request)
    try:
        records = _with_equal_columns([record_from_dict(values) for values in sent.records])
        content = await run_in_threadpool(_content, records, file_format, service.folder, service.info)
    except (KeyError, ValueError) as error:
        raise RequestError(400, f"records: these are none of leafid's ({type(error).__name__}: {error})") from None
    except OutputError as error:
        raise RequestError(500, str(error)) from None
    ending, kind = _KINDS[file_format]
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="leafid{ending}"'})


def _with_equal_columns(records: Sequence[Record]) -> list[Record]:
    """Give all records the given columns of each, so that the rows of a table have as many cells as its header."""
    names = dict.fromkeys(name for record in records for name, _ in record.given)
    if len(names) > MAX_COLUMNS:
        raise RequestError(413, f"records: {len(names):,} columns; send at most {MAX_COLUMNS:,}.")
    return [replace(record, given=tuple((dict.fromkeys(names) | dict(record.given)).items())) for record in records]


def _content(records: Sequence[Record], file_format: FileFormat, folder: Path, info: BundleInfo) -> bytes:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        path = Path(own) / f"leafid{_KINDS[file_format][0]}"
        writers: dict[str, Callable[[], object]] = {
            "xlsx": lambda: write_spreadsheet(lambda: records, path, info),
            "darwin-core": lambda: write_archive(records, path, info.taxonomy),
        }
        if file_format in writers:
            writers[file_format]()
        else:
            given = [name for name, _ in records[0].given]
            with open_output(path, given=given, byte_order_mark=file_format == "csv") as writer:
                writer.write(records)
        return path.read_bytes()
