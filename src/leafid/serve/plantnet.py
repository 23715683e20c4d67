"""A REST interface in the shape of Pl@ntNet's, so that programs written for that service can use this one.

Source: https://my.plantnet.org/doc/api/identify, read in 2026. Not offered: identification by web addresses (GET), and
anything that needs an account.
"""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from leafid.identify import Candidate, Record, Status
from leafid.serve import worker
from leafid.serve.errors import RequestError
from leafid.serve.leafid_api import ERRORS
from leafid.serve.service import Service, service_of
from leafid.serve.uploads import FORM_BODY, read_form, stored_photos, unreadable_status, uploads_in
from leafid.serve.worker import Photo
from leafid.taxonomy import Taxon
from leafid.version import __version__

router = APIRouter(prefix="/v2", tags=["Pl@ntNet"])

ORGANS = ("auto", "leaf", "flower", "fruit", "bark", "habit", "other", "scan", "branch", "sheet")
"""Organs that clients send; a leaf is looked for in every photo."""

ALL_PROJECTS = "all"
"""The project that Pl@ntNet's clients ask for by default."""

_NO_PLANT = ("not_a_leaf", "unknown_taxon")
"""Reasons that are answered as `Species not found`, unless the client sends `no-reject`."""
_NO_QUOTA = 1_000_000
"""Clients expect a number of requests that are left; there is no quota here."""
_RELATED = 4


class Name(BaseModel):
    """A genus or family."""

    scientificName: str
    scientificNameWithoutAuthor: str
    scientificNameAuthorship: str = ""


class Species(BaseModel):
    """A taxon of the bundle; bundles keep no authors and no common names."""

    scientificName: str
    scientificNameWithoutAuthor: str
    scientificNameAuthorship: str = ""
    genus: Name
    family: Name
    commonNames: list[str] = []


class Result(BaseModel):
    """A candidate; `score` is its calibrated probability."""

    score: float
    species: Species
    gbif: dict[str, str] | None = None
    images: list[dict[str, Any]] = []


class IdentifyAnswer(BaseModel):
    """The answer of `POST /v2/identify/{project}`."""

    query: dict[str, Any]
    predictedOrgans: list[dict[str, Any]] = []
    language: str
    preferedReferential: str = ""
    bestMatch: str
    results: list[Result]
    version: str
    remainingIdentificationRequests: int = _NO_QUOTA


class Project(BaseModel):
    """A flora that can be asked; here the taxa of the bundle."""

    id: str
    title: str
    description: str
    speciesCount: int


@router.post("/identify/{project}", response_model=IdentifyAnswer, responses=ERRORS, openapi_extra=FORM_BODY)
async def identify(
    request: Request,
    project: str,
    nb_results: Annotated[int, Query(alias="nb-results", ge=1, le=1000)] = 10,
    lang: Annotated[str, Query(max_length=20)] = "en",
    no_reject: Annotated[bool, Query(alias="no-reject")] = False,
    include_related_images: Annotated[bool, Query(alias="include-related-images")] = False,
) -> IdentifyAnswer:
    """Identify a plant on 1 to 5 photos.

    404 with `Species not found` where no plant or none of the known taxa is seen, unless `no-reject` is true.
    """
    service = service_of(request)
    if project not in (ALL_PROJECTS, service.info.name):
        raise RequestError(404, f"There is no project {project[:100]!r}. GET /v2/projects lists those of this service.")
    async with read_form(request, service.limits) as form:
        uploads = uploads_in(form)
        organs = [str(organ) for organ in form.getlist("organs")]
        if unknown := [organ for organ in organs if organ not in ORGANS]:
            raise RequestError(400, f"organs: {unknown[0][:100]!r} is unknown. Send one of {', '.join(ORGANS)}.")
        if organs and len(organs) != len(uploads):
            raise RequestError(400, f"{len(organs)} organs for {len(uploads)} photos. Send one for each, or none.")
        async with stored_photos(uploads, service.folder, service.limits) as photos:
            plant, _ = await service.pool.run(worker.identify, photos, top=nb_results, characters=False, taxa=None)
            query = {
                "project": project,
                "images": [_hash(photo) for photo in photos],
                "organs": organs or ["auto"] * len(photos),
                "includeRelatedImages": include_related_images,
                "noReject": no_reject,
                "type": None,
            }
    if plant.status is Status.FAILED:
        raise RequestError(unreadable_status(plant.reason_code), f"A photo cannot be read: {plant.reason}")
    if plant.reason_code in _NO_PLANT and not no_reject:
        raise RequestError(404, "Species not found")
    results = [_result(service, plant, one, include_related_images, request) for one in plant.candidates]
    return IdentifyAnswer(
        query=query,
        language=lang,
        bestMatch=results[0].species.scientificName,
        results=results,
        version=f"leafid {__version__}, {plant.bundle}",
    )


@router.get("/projects", response_model=list[Project])
async def projects(request: Request) -> list[Project]:
    """List the floras that can be asked: the taxa of the bundle."""
    info = service_of(request).info
    return [Project(id=info.name, title=info.name, description=info.trained_on.scope, speciesCount=len(info.taxonomy))]


@router.get("/species")
@router.get("/taxa")
async def taxa(request: Request) -> list[dict[str, str | None]]:
    """List the taxa of the bundle, by name."""
    known = sorted(service_of(request).info.taxonomy.taxa, key=lambda taxon: taxon.scientific_name)
    return [
        {
            "species_id": taxon.key,
            "name": taxon.scientific_name,
            "authorship": "",
            "genus": taxon.genus or "",
            "family": taxon.family or "",
            "vernacularName": "",
        }
        for taxon in known
    ]


@router.get("/status")
async def status(request: Request) -> dict[str, object]:
    """Return what the service runs."""
    service = service_of(request)
    return {"status": "ok", "version": __version__, "bundle": service.info.identifier, "engine": service.engine}


def _result(service: Service, plant: Record, candidate: Candidate, related: bool, request: Request) -> Result:
    taxonomy = service.info.taxonomy
    taxon = taxonomy.taxa[taxonomy.label(candidate.scientific_name)]
    return Result(
        score=candidate.probability,
        species=_species(taxon),
        gbif={"id": taxon.key} if taxon.key else None,
        images=_related_images(plant, taxon, request) if related else [],
    )


def _species(taxon: Taxon) -> Species:
    def name(text: str | None) -> Name:
        return Name(scientificName=text or "", scientificNameWithoutAuthor=text or "")

    return Species(
        scientificName=taxon.scientific_name,
        scientificNameWithoutAuthor=taxon.scientific_name,
        genus=name(taxon.genus),
        family=name(taxon.family),
    )


def _related_images(plant: Record, taxon: Taxon, request: Request) -> list[dict[str, Any]]:
    """Return the cited reference specimens of a candidate as Pl@ntNet's related images."""
    pictures = service_of(request).pictures
    cited = [
        one for one in plant.specimens if one.scientific_name == taxon.scientific_name and one.image_id in pictures
    ][:_RELATED]
    images = []
    for specimen in cited:
        address = str(request.url_for("specimen", image_id=specimen.image_id))
        credits_given = (specimen.rights_holder, specimen.institution_code, specimen.license)
        images.append(
            {
                "organ": "leaf",
                "author": specimen.rights_holder or "",
                "license": specimen.license or "",
                "date": {"timestamp": 0, "string": ""},
                "url": {"o": address, "m": address, "s": address},
                "citation": ", ".join(part for part in credits_given if part),
            }
        )
    return images


def _hash(photo: Photo) -> str:
    with photo.path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
