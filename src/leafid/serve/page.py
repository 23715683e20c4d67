"""The page, and the files that it loads."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from leafid.html import page_template
from leafid.serve.service import service_of
from leafid.serve.settings import MAX_PHOTOS
from leafid.serve.wording import DEFAULT_LANGUAGE, languages, texts
from leafid.version import __version__

router = APIRouter(include_in_schema=False)


@router.get("/")
async def page(request: Request, lang: Annotated[str, Query(max_length=20)] = DEFAULT_LANGUAGE) -> HTMLResponse:
    """Return the page."""
    service = service_of(request)
    language = lang if lang in languages() else DEFAULT_LANGUAGE
    words = texts(language)
    facts = {"texts": words, "language": language, "max_photos": MAX_PHOTOS}
    content = page_template("leafid.serve", "page.html").render(
        words=words,
        facts=facts,
        language=language,
        languages={code: texts(code)["language"] for code in languages()},
        info=service.info,
        limits=service.info.trained_on.long,
        version=__version__,
        max_photos=MAX_PHOTOS,
    )
    return HTMLResponse(content)


@router.get("/health")
async def health(request: Request) -> dict[str, object]:
    """Tell monitoring that the service answers, and how much it has to do."""
    pool = service_of(request).pool
    return {"status": "ok", "in_work": pool.in_work, "workers": pool.workers}
