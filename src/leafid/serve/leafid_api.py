"""The service's own REST interface: the record of a plant with all its fields, and the characters of its leaves."""

import base64
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.datastructures import FormData
from starlette.responses import JSONResponse, Response

from leafid.characters import LeafEnds
from leafid.errors import ImageError, InstallationError, TaxonomyError
from leafid.identify import Record, open_taxa, questions_in
from leafid.serve import worker
from leafid.serve.errors import RequestError
from leafid.serve.questions import NextQuestion, next_question
from leafid.serve.service import Service, service_of
from leafid.serve.uploads import FORM_BODY, read_form, stored_photos, unreadable_status, uploads_in
from leafid.serve.wording import DEFAULT_LANGUAGE, in_words

router = APIRouter(prefix="/v1", tags=["leafid"])

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": text}
    for status, text in {
        400: "The request is wrong; the message says where.",
        401: "The key is missing or wrong.",
        403: "Called by the page of another site.",
        408: "The photos did not arrive in time.",
        413: "Too many photos, or too large.",
        415: "The body is no form, or holds no photo.",
        421: "The Host header names another machine.",
        429: "Too many requests wait; see Retry-After.",
    }.items()
}


class Words(BaseModel):
    """The answer in words, and what to do for a better one."""

    sentences: list[str]
    advice: str | None


class IdentifyAnswer(BaseModel):
    """The answer for a plant.

    `pictures` has the cited specimens that `/v1/specimens` has a picture of. `open_taxa` are the taxa that cannot be
    excluded, with their probabilities; `questions` are the characters that separate them best and that the photos do
    not show. `/v1/questions` says what an observation of them leaves.
    """

    plant: Record
    photos: list[Record]
    words: Words
    limits: list[str]
    pictures: list[str]
    open_taxa: dict[str, float]
    questions: list[NextQuestion]


class HeatMap(BaseModel):
    """The evidence for one taxon: a JPEG, encoded in base64."""

    scientific_name: str
    picture: str


class HeatMapsAnswer(BaseModel):
    """The evidence for two taxa in one photo."""

    heat_maps: list[HeatMap]


class MeasuredLeafAnswer(BaseModel):
    """One leaf; `drawing` is a JPEG, encoded in base64. Points are pixels of the upright photo.

    `shown` names the characters that are visible clearly enough to exclude a taxon.
    """

    characters: dict[str, dict[str, Any]]
    sentence: str | None
    not_measured: str | None
    base: tuple[float, float]
    apex: tuple[float, float]
    box: tuple[int, int, int, int]
    shown: list[str]
    drawing: str


class MeasureAnswer(BaseModel):
    """The leaves of a photo, best first."""

    leaves: list[MeasuredLeafAnswer]


@router.post("/identify", response_model=IdentifyAnswer, responses=ERRORS, openapi_extra=FORM_BODY)
async def identify(
    request: Request,
    top: Annotated[int, Query(ge=1, le=1000, description="Number of candidates.")] = 5,
    characters: Annotated[bool, Query(description="Also measure the best leaf of each photo.")] = False,
    taxa: Annotated[
        list[str] | None, Query(description="Names among which the answer lies; none: all.", max_length=1000)
    ] = None,
    ask: Annotated[bool, Query(description="Also write the next question into the records.")] = False,
    lang: Annotated[str, Query(description="Language of the words.", max_length=20)] = DEFAULT_LANGUAGE,
) -> JSONResponse:
    """Identify a plant on 1 to 5 photos. A photo that cannot be read has a record with the reason."""
    service = service_of(request)
    _check_taxa(service, taxa or [])
    async with (
        read_form(request, service.limits) as form,
        stored_photos(uploads_in(form), service.folder, service.limits) as photos,
    ):
        plant, records = await service.pool.run(
            worker.identify, photos, top=top, characters=characters, taxa=taxa or None, ask=True
        )
    left = open_taxa(plant.status, plant.reason, plant.candidates, plant.prediction_set)
    questions = [next_question(character, left) for character in questions_in(plant.next_question)]
    if not ask:
        plant, *records = (replace(record, next_question=None) for record in (plant, *records))
    words = in_words(plant, records, lang)
    # Records as `leafid identify` writes them into JSONL; `IdentifyAnswer` describes the same for OpenAPI.
    return JSONResponse(
        {
            "plant": plant.to_dict(),
            "photos": [record.to_dict() for record in records],
            "words": {"sentences": words.sentences, "advice": words.advice},
            "limits": service.info.trained_on.long,
            "pictures": [one.image_id for one in plant.specimens if one.image_id in service.pictures],
            "open_taxa": left,
            "questions": [question.model_dump() for question in questions],
        }
    )


@router.post("/measure", response_model=MeasureAnswer, responses=ERRORS, openapi_extra=FORM_BODY)
async def measure(
    request: Request, leaves: Annotated[int, Query(ge=1, le=20, description="Most leaves to measure.")] = 1
) -> MeasureAnswer:
    """Measure the leaves of one photo.

    With the form fields `base_x`, `base_y`, `apex_x` and `apex_y`, in pixels of the upright photo, the leaf between
    these two points is measured.
    """
    service = service_of(request)
    async with read_form(request, service.limits) as form:
        ends = _ends(form)
        uploads = uploads_in(form)
        if len(uploads) != 1:
            raise RequestError(400, f"{len(uploads)} photos; send one to measure.")
        async with stored_photos(uploads, service.folder, service.limits) as photos:
            try:
                measured = await service.pool.run(worker.measure, photos[0], ends=ends, leaves=leaves)
            except ImageError as error:
                raise RequestError(unreadable_status(error.reason), f"{photos[0].name}: {error}") from None
    return MeasureAnswer(
        leaves=[
            MeasuredLeafAnswer(**{**vars(leaf), "drawing": base64.b64encode(leaf.drawing).decode("ascii")})
            for leaf in measured
        ]
    )


@router.post("/heat-maps", response_model=HeatMapsAnswer, responses=ERRORS, openapi_extra=FORM_BODY)
async def heat_maps(
    request: Request,
    taxa: Annotated[list[str], Query(min_length=2, max_length=2, description="The two taxa to compare.")],
) -> HeatMapsAnswer:
    """Show where one photo has evidence for each of two taxa. Needs torch on the service's machine."""
    service = service_of(request)
    _check_taxa(service, taxa)
    async with (
        read_form(request, service.limits) as form,
        stored_photos(uploads_in(form), service.folder, service.limits) as photos,
    ):
        if len(photos) != 1:
            raise RequestError(400, f"{len(photos)} photos; send one.")
        try:
            drawn = await service.pool.run(worker.heat_maps, photos[0], (taxa[0], taxa[1]))
        except ImageError as error:
            raise RequestError(unreadable_status(error.reason), f"{photos[0].name}: {error}") from None
        except InstallationError as error:
            raise RequestError(501, f"Heat maps need torch on the machine of the service. {error}") from None
    pictures = [base64.b64encode(picture).decode("ascii") for picture in drawn]
    return HeatMapsAnswer(
        heat_maps=[HeatMap(scientific_name=name, picture=picture) for name, picture in zip(taxa, pictures, strict=True)]
    )


@router.get("/specimens/{image_id}", responses={404: {"description": "The bundle has no picture of it."}})
async def specimen(request: Request, image_id: str) -> Response:
    """Return the picture of a reference specimen (JPEG), where its licence allows a smaller copy."""
    picture = service_of(request).thumbnail(image_id)
    if picture is None:
        raise RequestError(404, "The bundle has no picture of this specimen.")
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "max-age=86400"})


def _check_taxa(service: Service, taxa: list[str]) -> None:
    try:
        service.info.taxonomy.labels(taxa)
    except TaxonomyError as error:
        raise RequestError(400, f"taxa: {error}") from None


def _ends(form: FormData) -> LeafEnds | None:
    """Read base and apex from a form; None if it has neither."""
    names = ("base_x", "base_y", "apex_x", "apex_y")
    given = {name: form[name] for name in names if name in form}
    if not given:
        return None
    if missing := [name for name in names if name not in given]:
        raise RequestError(400, f"{missing[0]} is missing: give base_x, base_y, apex_x and apex_y, or none of them.")
    numbers = []
    for name, text in given.items():
        try:
            number = float(str(text))
        except ValueError:
            number = -1.0
        if not 0 <= number < 1_000_000:  # also NaN
            raise RequestError(400, f"{name} is {str(text)[:40]!r}, not a number of pixels from 0.")
        numbers.append(number)
    try:
        return LeafEnds.between((numbers[0], numbers[1]), (numbers[2], numbers[3]))
    except ValueError as error:
        raise RequestError(400, f"{error}.") from None
