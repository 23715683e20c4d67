"""The image of the sheet is chosen among labels, details, thumbnails, manifests and tiles."""

import asyncio
from typing import Any

import pytest

from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.iiif import MANIFEST_PREFIX, SERVICE_PREFIX, image_service_of, resolve_image_url
from leafid.sources.fetching.web_client import WebClient
from leafid.sources.providers.licences import read_licence
from leafid.sources.providers.media_choice import choose_medium
from leafid.sources.providers.occurrences import Medium
from tests.sources.test_web import settings
from tests.sources.web_server import Asked, Reply, WebServer, as_json

H = "https://herbarium.example.org"


def still(url: str | None, **more: Any) -> Medium:  # noqa: ANN401 -- any field of a medium
    return Medium(url, **{"type": "StillImage", "format": "image/jpeg", **more})


@pytest.mark.parametrize(
    ("media", "chosen", "why"),
    [
        ([still(f"{H}/a1?x", title="BM01_label_4"), still(f"{H}/a2?x", title="BM01_4")], f"{H}/a2?x", "the label"),
        ([still(f"{H}/live/9.jpg"), still(f"{H}/specimens/9.jpg")], f"{H}/specimens/9.jpg", "living plant"),
        ([still(f"{H}/9_tn.jpg"), still(f"{H}/9_lg.jpg")], f"{H}/9_lg.jpg", "thumbnail; tried if the chosen one fails"),
        ([still(f"{H}/9-1.jpg"), still(f"{H}/9.jpg")], f"{H}/9.jpg", "another image"),
        ([still(f"{H}/detail/9.jpg"), still(f"{H}/sheet-of-9.jpg")], f"{H}/sheet-of-9.jpg", "a detail"),
        (
            [still(f"{H}/b.jpg", width=600, height=900), still(f"{H}/aaaa.jpg", width=60, height=90)],
            f"{H}/b.jpg",
            "other",
        ),
        ([still(f"{H}/s?type=image&source=DZI/9.dzi"), still(f"{H}/9.jpg")], f"{H}/9.jpg", "deep-zoom"),
        ([still(None, references=f"{H}/9.dzi"), still(f"{H}/9.jpg")], f"{H}/9.jpg", "only deep-zoom"),
        ([Medium(None, references=f"{H}/record/9"), still(f"{H}/9.jpg")], f"{H}/9.jpg", "only a page"),
        ([still("urn:catalog:X:9"), still(f"{H}/9.jpg")], f"{H}/9.jpg", "not a web address"),
        ([still(f"{H}/9.mp3", type="Sound"), still(f"{H}/9.jpg")], f"{H}/9.jpg", "its type is Sound"),
        (
            [still(f"{H}/9.pdf", format="application/pdf"), still(f"{H}/9.jpg")],
            f"{H}/9.jpg",
            "its format is application",
        ),
        ([still(f"{H}/9.jpg"), still(f"{H}/9.jpg")], f"{H}/9.jpg", "the same address"),
        ([still("https://api.gbif.org/v1/image/cache/9"), still(f"{H}/9.jpg")], f"{H}/9.jpg", "not for bulk"),
    ],
)
def test_the_sheet_is_chosen_and_the_other_excluded_with_a_reason(media: list[Medium], chosen: str, why: str) -> None:
    for order in (media, media[::-1]):
        choice = choose_medium(order, domain="specimen")
        assert choice.urls[0] == chosen
        assert len(choice.excluded) == 1
        assert why in choice.excluded[0][1]


def test_a_description_in_prose_does_not_make_a_label_photo() -> None:
    sheet = still(f"{H}/9.jpg", description="Herbarium sheet with label, habitat: river bank. Barcode 0065")
    assert choose_medium([sheet], domain="specimen").chosen == sheet


def test_label_photos_alone_give_no_image() -> None:
    choice = choose_medium([still(f"{H}/9_label.jpg")], domain="specimen")
    assert choice.chosen is None
    assert choice.excluded[0][1] == "a photo of the label"


def test_a_type_may_be_an_address_or_missing() -> None:
    for kind in ("http://purl.org/dc/dcmitype/StillImage", None, "Image;StillImage", "image"):
        assert choose_medium([still(f"{H}/9.jpg", type=kind)], domain="specimen").chosen is not None


def test_iiif_is_preferred_and_the_plain_image_is_the_fallback() -> None:
    manifest = Medium(f"{H}/iiif/E1/manifest", type="InteractiveResource", format="application/ld+json")
    plain = still(f"{H}/E1.jpg")
    small = still(f"{H}/iiif/E1/full/300,/0/default.jpg")
    choice = choose_medium([plain, manifest], domain="specimen")
    assert choice.urls == (f"{MANIFEST_PREFIX}{H}/iiif/E1/manifest", f"{H}/E1.jpg")
    both = choose_medium([manifest, small], domain="specimen")
    assert both.urls[:2] == (f"{SERVICE_PREFIX}{H}/iiif/E1", f"{MANIFEST_PREFIX}{H}/iiif/E1/manifest")


def test_a_fallback_has_the_same_licence() -> None:
    manifest = Medium(f"{H}/iiif/E1/manifest", licence=read_licence("CC0"))
    choice = choose_medium([manifest, still(f"{H}/E1.jpg", licence=read_licence("CC BY 4.0"))], domain="specimen")
    assert choice.urls == (f"{MANIFEST_PREFIX}{H}/iiif/E1/manifest",)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        (f"{H}/iiif/E1/full/1600,/0/default.jpg", f"{H}/iiif/E1"),
        (f"{H}/iiif/E1/full/full/0/native.jpg", f"{H}/iiif/E1"),
        (f"{H}/iiif/E1/0,0,50,50/!200,200/90/color.png", f"{H}/iiif/E1"),
        (f"{H}/full/res:0/0/native.jpg", None),
        (f"{H}/E1.jpg", None),
    ],
)
def test_image_services_are_recognised_by_their_addresses(url: str, base: str | None) -> None:
    assert image_service_of(url) == base


V1 = "http://library.stanford.edu/iiif/image-api/1.1/context.json"
PREPARED = [{"width": side, "height": side * 3 // 2} for side in (500, 1500, 3000)]
V2 = {"@context": "http://iiif.io/api/image/2/context.json", "width": 6000, "height": 9000}
V3 = {"@context": "http://iiif.io/api/image/3/context.json", "width": 6000, "height": 9000, "profile": "level2"}


@pytest.mark.parametrize(
    ("info", "size"),
    [
        (V2, "2000,/0/default"),
        (V3, "2000,/0/default"),
        ({**V2, "width": 600, "height": 900}, "full/0/default"),
        ({**V3, "width": 600, "height": 900}, "max/0/default"),
        ({**V3, "maxWidth": 1500}, "1000,/0/default"),
        ({**V3, "maxArea": 540_000}, "600,/0/default"),
        ({**V2, "profile": ["http://iiif.io/api/image/2/level2.json", {"maxWidth": 1500}]}, "1000,/0/default"),
        ({**V2, "profile": ["http://iiif.io/api/image/2/level0.json"], "sizes": PREPARED}, "1500,/0/default"),
        ({**V3, "profile": "level0", "sizes": [{"width": 500, "height": 750}]}, "500,750/0/default"),
        ({**V3, "profile": "level0"}, "max/0/default"),
        ({"@context": V1, "width": 60, "height": 90}, "full/0/native"),
        ({}, "full/0/default"),
    ],
)  # fmt: skip
def test_the_requested_size_is_offered_and_within_the_limit(info: dict[str, object], size: str) -> None:
    def answer(asked: Asked) -> Reply:
        return as_json(info if asked.path == "/iiif/E1/info.json" else {}, 200 if "info" in asked.path else 404)

    assert resolve(answer, f"{SERVICE_PREFIX}{{}}/iiif/E1", 3000) == f"/iiif/E1/full/{size}.jpg"


def resolve(answer: Any, planned: str, max_side: int) -> str:  # noqa: ANN401 -- a callable
    async def run(url: str) -> str:
        async with WebClient(settings()) as client:
            return await resolve_image_url(client, planned.format(url), max_side)

    with WebServer(answer) as server:
        server.answer = lambda asked: answer(asked)
        return asyncio.run(run(server.url)).removeprefix(server.url)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("service", [True, False])
def test_manifests_lead_to_the_image(version: int, service: bool) -> None:
    def answer(asked: Asked) -> Reply:
        host = f"http://{asked.headers['Host']}"
        if asked.path == "/iiif/E1/info.json":
            return as_json(V3)
        if version == 2:
            resource: dict[str, Any] = {"@id": f"{host}/E1.jpg"}
            if service:
                resource["service"] = {"@id": f"{host}/iiif/E1"}
            return as_json({"sequences": [{"canvases": [{"images": [{"resource": resource}]}]}]})
        body: dict[str, Any] = {"id": f"{host}/E1.jpg", "type": "Image"}
        if service:
            body["service"] = [{"id": f"{host}/iiif/E1/"}]
        return as_json({"items": [{"items": [{"items": [{"body": body}]}]}]})

    found = resolve(answer, f"{MANIFEST_PREFIX}{{}}/manifest", 3000)
    assert found == ("/iiif/E1/full/2000,/0/default.jpg" if service else "/E1.jpg")


EMPTY: dict[str, Any] = {"sequences": [{"canvases": [{"images": [{"resource": {}}]}]}]}


@pytest.mark.parametrize("content", [[], {}, {"sequences": []}, {"items": [{"items": None}]}, "text", EMPTY])
def test_an_invalid_manifest_is_an_error(content: object) -> None:
    with pytest.raises(FetchError, match="manifest"):
        resolve(lambda asked: as_json(content), f"{MANIFEST_PREFIX}{{}}/manifest", 3000)


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("image/jpeg", "StillImage"),
        ("StillImage", ".jpg"),
        ("2D image", None),
        ("Imagen fija", None),
        ("http://purl.org/dc/dcmitype/StillImage", "JPG"),
        ("Lámina", None),
        (None, "application/octet-stream"),
    ],
)
def test_types_and_formats_in_other_words_are_taken(kind: str | None, form: str | None) -> None:
    assert choose_medium([still(f"{H}/9.jpg", type=kind, format=form)], domain="specimen").chosen is not None


@pytest.mark.parametrize(
    ("kind", "form"),
    [("text/html", "StillImage"), ("StillImage", "video/mp4"), ("Sonido", None), ("MovingImage", "jpg")],
)
def test_types_and_formats_of_something_else_are_not(kind: str | None, form: str | None) -> None:
    assert choose_medium([still(f"{H}/9", type=kind, format=form)], domain="specimen").chosen is None
