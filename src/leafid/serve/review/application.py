"""The application for a review: one page, and the records, pictures and decisions that it asks for."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, cast

from fastapi import APIRouter, FastAPI, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, Response

from leafid.bundle import read_bundle
from leafid.errors import ExitCode, ImageError, OutputError, UsageError
from leafid.html import page_template
from leafid.identify import Record, read_records
from leafid.serve import static_files
from leafid.serve.application import guarded_app
from leafid.serve.errors import RequestError
from leafid.serve.review import pictures
from leafid.serve.review.decisions import Decision, DecisionFile, decisions_path, determination, open_decisions
from leafid.serve.review.derived_files import (
    identifications_path,
    training_path,
    write_identifications,
    write_training_table,
)
from leafid.serve.server import run_app
from leafid.serve.settings import ReviewSettings
from leafid.serve.wording import DEFAULT_LANGUAGE, texts
from leafid.serve.worker_pool import WorkerPool
from leafid.sources import is_web_address
from leafid.version import __version__

router = APIRouter(include_in_schema=False)

MAX_RECORDS = 100_000
"""All are held in memory, which takes 200 MB; nobody looks at more."""
PAGE_RECORDS = 200
"""Records that the page asks for at once."""
PICTURE_SIDE = 1400
"""Longer side of a picture in pixels: secondary veins stay distinct on a screen."""


@dataclass(frozen=True)
class Review:
    """An open review.

    Attributes:
        results: the result file.
        records: those under review: of plants, and of photos that belong to none.
        decisions: the open file.
        names: taxa that are offered.
        pool: processes that open photos.
    """

    results: Path
    records: Sequence[Record]
    decisions: DecisionFile
    names: tuple[str, ...]
    pool: WorkerPool


class NewDecision(BaseModel):
    """What a reviewer sends: a name, or none where the plant cannot be told."""

    scientific_name: Annotated[str | None, Field(max_length=300)]
    reviewer: Annotated[str, Field(min_length=1, max_length=200)]
    remarks: Annotated[str, Field(max_length=2000)] = ""


def review_results(settings: ReviewSettings) -> ExitCode:
    """Show a result file for review until Ctrl-C, then write the files that are made of the decisions.

    Raises:
        OutputError: the results cannot be read, or decisions cannot be written.
        UsageError: there is nothing to review, or the address cannot be used.
    """
    records = _records_of(settings.results)
    names = _names(records, settings.bundle)
    with open_decisions(decisions_path(settings.results)) as decisions:
        run_app(lambda: _create_app(settings, records, decisions, names), settings)
        if decisions.latest:
            write_derived_files(settings.results, records, decisions)
    return ExitCode.OK


def write_derived_files(results: Path, records: Sequence[Record], decisions: DecisionFile) -> dict[str, int]:
    """Write the Darwin Core rows and the table to train on; return file names and numbers of rows."""
    identifications, training = identifications_path(results), training_path(results)
    return {
        identifications.name: write_identifications(records, decisions.latest, identifications),
        training.name: write_training_table(records, decisions.latest, training),
    }


def _records_of(results: Path) -> list[Record]:
    records = []
    for record in read_records(results):
        if record.of_plant or record.plant is None:  # photos of a plant are reviewed with it
            records.append(record)
        if len(records) > MAX_RECORDS:
            raise UsageError(f"{results} has more than {MAX_RECORDS:,} records. Divide it into several files.")
    if not records:
        raise UsageError(f"{results} has no records to review.")
    return records


def _names(records: Sequence[Record], bundle: Path | None) -> tuple[str, ...]:
    if bundle is not None:
        return read_bundle(bundle).info.taxonomy.names
    return tuple(sorted({one.scientific_name for record in records for one in record.candidates}))


def _create_app(
    settings: ReviewSettings, records: Sequence[Record], decisions: DecisionFile, names: tuple[str, ...]
) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        limits = settings.limits
        pool = WorkerPool(
            pictures.start, limits.worker_bytes, workers=1, waiting=limits.waiting, seconds=limits.answering_seconds
        )
        try:
            await pool.start(pictures.ready)
            app.state.review = Review(settings.results, records, decisions, names, pool)
            yield
        finally:
            await pool.stop(0)

    return guarded_app("leafid review", "Review of results.", (router, static_files.router), lifespan, settings)


def _review_of(request: Request) -> Review:
    return cast(Review, request.app.state.review)


@router.get("/")
async def page(request: Request) -> HTMLResponse:
    """Return the page."""
    review = _review_of(request)
    words = texts(DEFAULT_LANGUAGE)
    facts = {"texts": words, "names": review.names, "records": len(review.records), "step": PAGE_RECORDS}
    content = page_template("leafid.serve", "review.html").render(
        words=words, facts=facts, results=review.results.name, names=review.names, version=__version__
    )
    return HTMLResponse(content)


@router.get("/v1/review/records")
async def records(
    request: Request,
    start: Annotated[int, Query(ge=0)] = 0,
    count: Annotated[int, Query(ge=1, le=1000)] = PAGE_RECORDS,
) -> list[dict[str, Any]]:
    """Return records with their number and the decision that counts."""
    review = _review_of(request)
    return [
        {"number": number, "record": record.to_dict(), "decision": review.decisions.latest.get(record.subject)}
        for number, record in enumerate(review.records[start : start + count], start=start)
    ]


@router.post("/v1/review/records/{number}")
async def decide(request: Request, number: int, sent: NewDecision) -> Decision:
    """Keep a decision; it is on the disk when this answers."""
    review = _review_of(request)
    record = _record(review, number)
    try:
        name = None if sent.scientific_name is None else determination(sent.scientific_name, review.names)
    except ValueError as error:
        raise RequestError(400, f"{error}.") from None
    reviewer = " ".join(sent.reviewer.split())
    if not reviewer:
        raise RequestError(400, "reviewer is empty: write your name.")
    decision = Decision.of(record, name, reviewer, " ".join(sent.remarks.split()), datetime.now().astimezone())
    try:
        review.decisions.add(decision)
    except OutputError as error:
        raise RequestError(500, str(error)) from None
    return decision


@router.post("/v1/review/files")
async def save(request: Request) -> dict[str, int]:
    """Write the files that are made of the decisions; return their names and numbers of rows."""
    review = _review_of(request)
    try:
        return write_derived_files(review.results, review.records, review.decisions)
    except OutputError as error:
        raise RequestError(500, str(error)) from None


@router.get("/v1/review/records/{number}/photos/{photo}")
async def picture(request: Request, number: int, photo: int) -> Response:
    """Return a picture of a record's photo (JPEG)."""
    review = _review_of(request)
    paths = photo_paths(_record(review, number))
    if not 0 <= photo < len(paths):
        raise RequestError(404, "The record has no such photo.")
    if is_web_address(paths[photo]):
        raise RequestError(404, "A photo from the web is not fetched again. Open its address.")
    shown = await review.pool.run(pictures.picture, Path(paths[photo]), PICTURE_SIDE)
    if isinstance(shown, ImageError):
        raise RequestError(404, f"{paths[photo]}: {shown.detail}")
    return Response(shown, media_type="image/jpeg")


def photo_paths(record: Record) -> list[str]:
    """Return the photos of a record: one, or those of its plant."""
    return [photo.path for photo in record.photos] if record.of_plant else [record.path]


def _record(review: Review, number: int) -> Record:
    if not 0 <= number < len(review.records):
        raise RequestError(404, f"There is no record {number}.")
    return review.records[number]
