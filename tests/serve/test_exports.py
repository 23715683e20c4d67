"""Records that a stranger sends for export: what is none of leafid's is refused, and never a defect."""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from leafid.serve import exports
from leafid.serve.application import guarded_app
from leafid.serve.service import Service
from leafid.serve.settings import Limits, Listening
from tests.outputs.records import made, small_info

pytest.importorskip("openpyxl")
RECORD = made("a.jpg").to_dict()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """Return a client of an application that exports only, without the processes that identify."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.service = Service(small_info(), tmp_path, None, tmp_path, Limits(), "torch", frozenset())  # type: ignore[arg-type]
        yield

    app = guarded_app("exports", "Exports.", (exports.router,), lifespan, Listening())
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as started:
        yield started


def _export(client: TestClient, file_format: str, *records: dict[str, Any]) -> tuple[int, bytes]:
    content = json.dumps({"records": records})  # has escapes of lone surrogates, NaN and Infinity
    headers = {"Content-Type": "application/json"}
    answer = client.post(f"/v1/export/{file_format}", content=content, headers=headers)
    return answer.status_code, answer.content


@pytest.mark.parametrize("file_format", get_args(exports.FileFormat))
def test_records_of_a_stranger_are_refused_or_exported_whole(
    client: TestClient, file_format: str, tmp_path: Path
) -> None:
    assert _export(client, file_format, RECORD)[0] == 200
    assert _export(client, file_format, RECORD | {"note": "=1\x00\x1b[31m" + "x" * 200_000})[0] == 200
    for change in (
        {"g\ud800": 5},
        {"g\ud800": "x"},
        {"note": "x\ud800"},
        {"probability": 10**400},
        {"candidates": [5]},
    ):
        status, answer = _export(client, file_format, RECORD | change)
        assert status == 400 and b"none of leafid" in answer, (change, answer)
    status, answer = _export(client, file_format, RECORD | {f"column {number}": "1" for number in range(20_000)})
    assert status == 413 and b"20,000 columns" in answer
    assert not list(tmp_path.iterdir())


def test_records_with_different_columns_have_rows_of_one_width(client: TestClient) -> None:
    status, content = _export(client, "csv", RECORD | {"a": "1"}, RECORD | {"b": "2"}, RECORD)
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert status == 200 and [(row["a"], row["b"]) for row in rows] == [("1", ""), ("", "2"), ("", "")]
