"""The application: routers, middleware and the life of the workers."""

import logging
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.types import Lifespan

from leafid.bundle import Bundle, thumbnail_names
from leafid.defects import save_defect
from leafid.serve import exports, leafid_api, page, plantnet, questions, static_files, worker
from leafid.serve.errors import RequestError, error_response
from leafid.serve.request_guard import RequestGuard, own_names
from leafid.serve.service import Service
from leafid.serve.settings import Listening, ServeSettings
from leafid.serve.worker import WorkerSettings
from leafid.serve.worker_pool import WorkerPool
from leafid.version import __version__

_logger = logging.getLogger(__name__)

ROUTERS = (leafid_api.router, questions.router, exports.router, plantnet.router, page.router, static_files.router)
"""What the service answers, in the order of its description."""

REFERENCES = 2
"""Specimens shown for each candidate, where the bundle has any."""

_ENDING_SECONDS = 20
"""For requests in work when the service is stopped."""


def create_app(settings: ServeSettings, bundle: Bundle) -> FastAPI:
    """Make the application; its workers start with it and end with it.

    Args:
        settings: of the service.
        bundle: the bundle to serve.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        limits = settings.limits
        with tempfile.TemporaryDirectory(prefix="leafid-serve-") as folder:
            tempfile.tempdir = folder  # large uploads are spooled there, too
            pool = WorkerPool(
                worker.start,
                WorkerSettings(
                    bundle.folder,
                    settings.device,
                    settings.engine,
                    REFERENCES if bundle.info.references else 0,
                    limits.worker_bytes,
                ),
                workers=settings.workers,
                waiting=limits.waiting,
                seconds=limits.answering_seconds,
            )
            try:
                engine = await pool.start(worker.ready)
                pictures = thumbnail_names(bundle.folder)
                app.state.service = Service(bundle.info, bundle.folder, pool, Path(folder), limits, engine, pictures)
                yield
            finally:
                await pool.stop(_ENDING_SECONDS)
                tempfile.tempdir = None

    return guarded_app("leafid", bundle.info.trained_on.short, ROUTERS, lifespan, settings)


def guarded_app(
    title: str, description: str, routers: Sequence[APIRouter], lifespan: Lifespan[FastAPI], settings: Listening
) -> FastAPI:
    """Make an application with the errors and the guard that all have.

    Args:
        title: for OpenAPI.
        description: for OpenAPI.
        routers: what it answers.
        lifespan: what starts and ends with it.
        settings: who may call it.
    """
    app = FastAPI(
        title=title,
        version=__version__,
        description=description,
        docs_url=None,  # their scripts come from other servers
        redoc_url=None,
        lifespan=lifespan,
    )
    for router in routers:
        app.include_router(router)
    app.add_exception_handler(RequestError, _request_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(Exception, _defect)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.origins, allow_methods=["GET", "POST"], allow_headers=["*"]
        )
    app.add_middleware(
        RequestGuard,
        host_names=own_names(settings.host) | set(settings.host_names),
        origins=settings.origins,
        api_key=settings.api_key,
        limits=settings.limits,
    )
    return app


async def _request_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestError)
    return error_response(error)


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return error_response(RequestError(error.status_code, str(error.detail), dict(error.headers or {})))


async def _validation_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    mistakes = [f"{one['loc'][-1]}: {one['msg']}" for one in error.errors()]
    return error_response(RequestError(400, "; ".join(mistakes)))


async def _defect(request: Request, error: Exception) -> JSONResponse:
    report = save_defect(error)
    _logger.error(
        "%s %s: this is a defect of leafid. Please report it with the file %s", request.method, request.url.path, report
    )
    return error_response(RequestError(500, "This is a defect of leafid. Its owner finds the details in the log."))
