"""Scripts and stylesheets of the pages."""

from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import Response

from leafid.serve.errors import RequestError

router = APIRouter(include_in_schema=False)

_TYPES = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "review.js": "text/javascript",
    "zip.js": "text/javascript",
}


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """Return a script or stylesheet."""
    if name not in _TYPES:
        raise RequestError(404, "There is no such file.")
    content = files("leafid.serve").joinpath("static", name).read_bytes()
    return Response(content, media_type=_TYPES[name], headers={"Cache-Control": "no-cache"})
