"""Photos of a request, stored in a folder that is removed when the request ends."""

import re
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from leafid.errors import FailureReason
from leafid.serve.errors import RequestError
from leafid.serve.settings import MAX_PHOTOS, Limits
from leafid.serve.worker import Photo

_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}")
_NAME_LENGTH = 200


_UNREADABLE = {
    FailureReason.NOT_AN_IMAGE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    FailureReason.UNSUPPORTED: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    FailureReason.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}

FORM_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["images"],
                    "properties": {
                        "images": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "minItems": 1,
                            "maxItems": MAX_PHOTOS,
                            "description": "Photos of one plant.",
                        },
                    },
                }
            }
        },
    }
}
"""The body of a request, for OpenAPI."""


@asynccontextmanager
async def read_form(request: Request, limits: Limits) -> AsyncIterator[FormData]:
    """Read the form of a request; its files are removed at the end of the block.

    Raises:
        RequestError: it is no form, or has too many parts.
    """
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        raise RequestError(415, "Send the photos as multipart/form-data, in the field `images`.")
    form = request.form(max_files=MAX_PHOTOS + limits.fields, max_fields=limits.fields, max_part_size=10_000)
    try:
        opened = await form
    except HTTPException as error:
        raise RequestError(400, f"The form cannot be read: {error.detail}") from None
    except (KeyError, ValueError, AssertionError) as error:  # what the parser lets through of a damaged form
        raise RequestError(400, f"The form cannot be read: {type(error).__name__}.") from None
    try:
        yield opened
    finally:
        await opened.close()


def uploads_in(form: FormData, field: str = "images") -> list[UploadFile]:
    """Return the files in a field of a form.

    Raises:
        RequestError: the field holds text instead.
    """
    values = form.getlist(field)
    if any(not isinstance(value, UploadFile) for value in values):
        raise RequestError(400, f"The form field `{field}` holds text. Send files in it.")
    return [value for value in values if isinstance(value, UploadFile)]


@asynccontextmanager
async def stored_photos(uploads: Sequence[UploadFile], folder: Path, limits: Limits) -> AsyncIterator[list[Photo]]:
    """Store uploaded photos for the time of the block.

    Args:
        uploads: as the form holds them.
        folder: of the service.
        limits: on the bytes of a photo.

    Raises:
        RequestError: there are none or too many, or one is empty or too large.
    """
    if not uploads:
        raise RequestError(400, "Send 1 to 5 photos in the form field `images`.")
    if len(uploads) > MAX_PHOTOS:
        raise RequestError(413, f"{len(uploads)} photos; send at most {MAX_PHOTOS} of one plant.")
    own = Path(await run_in_threadpool(tempfile.mkdtemp, dir=folder))
    try:
        photos = []
        for number, upload in enumerate(uploads, start=1):
            name = photo_name(upload.filename, number)
            if (upload.size or 0) > limits.photo_bytes:
                raise RequestError(413, f"{name} is larger than {limits.photo_bytes / 1e6:.0f} MB. Send a smaller one.")
            # Never the sender's name, which may hold folders; and one that no text holds by chance, so that it can be
            # replaced in answers. The ending tells raw photos from TIFF files.
            ending = Path(name).suffix
            path = own / f"{secrets.token_hex(16)}{ending if _EXTENSION.fullmatch(ending) else ''}"
            await run_in_threadpool(_store, upload.file, path)
            photos.append(Photo(path, name))
        yield photos
    finally:
        await run_in_threadpool(shutil.rmtree, own, ignore_errors=True)


def photo_name(sent: str | None, number: int) -> str:
    """Return what to call a photo in answers: the last part of the name that was sent, without control characters."""
    name = re.split(r"[/\\]", sent or "")[-1]
    name = "".join(character for character in name if character.isprintable()).strip()[-_NAME_LENGTH:]
    return name or f"photo {number}"


def unreadable_status(reason: str | None) -> int:
    """Return the HTTP status for a photo that cannot be read, by the code of its reason."""
    return _UNREADABLE.get(FailureReason(reason), HTTPStatus.BAD_REQUEST) if reason else HTTPStatus.BAD_REQUEST


def _store(file: BinaryIO, path: Path) -> None:
    with path.open("xb") as stored:
        shutil.copyfileobj(file, stored)
