"""Scripts, stylesheets and drawings of the pages."""

from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import Response

from leafid.identify import looked_up_characters
from leafid.serve.errors import RequestError

router = APIRouter(include_in_schema=False)

_TYPES = {
    "common.js": "text/javascript",
    "page.css": "text/css",
    "page.js": "text/javascript",
    "questions.css": "text/css",
    "questions.js": "text/javascript",
    "review.js": "text/javascript",
    "zip.js": "text/javascript",
}


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """Return a script or stylesheet."""
    if name not in _TYPES:
        raise RequestError(404, "There is no such file.")
    return _response(name, _TYPES[name])


@router.get("/static/states/{character}/{state}.svg")
async def drawing(character: str, state: str) -> Response:
    """Return the drawing of a state of a character."""
    known = looked_up_characters().get(character)
    if known is None or state not in {one.name for one in known.states}:
        raise RequestError(404, "There is no such drawing.")
    return _response(f"states/{character}/{state}.svg", "image/svg+xml")


def _response(name: str, media_type: str) -> Response:
    content = files("leafid.serve").joinpath("static", *name.split("/")).read_bytes()
    return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})
