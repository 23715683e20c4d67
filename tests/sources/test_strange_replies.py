"""Strange addresses and replies cost one address alone: a reason, within limits of bytes, depth and time."""

import asyncio
import gzip
import json
import time
from pathlib import Path

import pytest

from leafid.errors import FailureReason, ImageError, SourceError
from leafid.sources import ImageFetcher, collect
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.iiif import MANIFEST_PREFIX, SERVICE_PREFIX, resolve_image_url
from leafid.sources.fetching.web_client import WebClient
from tests.sources.public_services import KEYS, Services, job_of, record
from tests.sources.test_web import settings
from tests.sources.web_server import Asked, Reply, WebServer, as_json, sheet

TARGET = KEYS["Mitragyna speciosa"]
WHOLE = sheet(1)
INFO = {"@context": "http://iiif.io/api/image/2/context.json", "width": 300, "height": 200, "profile": "level2"}


def to(location: str, status: int = 302, **headers: str) -> Reply:
    return Reply(b"", status, headers={"Location": location, **headers})


def fetched(url: str, **changes: object) -> bytes:
    """Fetch one image as identify does, with a single attempt."""
    with ImageFetcher(settings(attempts=1, **changes)) as fetcher:
        return fetcher.start(url).result(20).read_bytes()


STRANGE = {
    "nested": b'{"width": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "digits": b'{"width": ' + b"9" * 5000 + b"}",
    "wide": json.dumps({**INFO, "width": 10**300, "height": 10**300}).encode(),
    "sizes": json.dumps({**INFO, "profile": "level0", "sizes": 5}).encode(),
    "list": b"[1, 2]",
    "no json": b"\xff\xfe",
    "surrogate": json.dumps({**INFO, "@context": "\ud800", "maxWidth": "\ud800"}).encode(),
    "parts": b"[" + b"0," * 400_000 + b"0]",
}


@pytest.mark.parametrize("body", STRANGE.values(), ids=STRANGE)
def test_no_info_json_ends_the_run(body: bytes) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(body) if asked.path.endswith("info.json") else Reply(b"", 404)

    with WebServer(answer) as server, pytest.raises(ImageError) as caught:
        fetched(f"{server.url}/service/info.json")
    assert caught.value.reason == FailureReason.NOT_FETCHED


@pytest.mark.parametrize(
    "reply",
    [
        to("http://[::1/leaf.jpg"),
        to("http://a..b/"),
        to("http://" + "a" * 300 + ".org/"),
        to("http://host:99999999/"),
        to("\x7f://x"),
        to("http://\udce9/"),
        Reply(b"", 503, headers={"Retry-After": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}),
        Reply(b"", 503, headers={"Retry-After": "9" * 5000}),
    ],
)
def test_no_header_ends_the_run(reply: Reply) -> None:
    with WebServer(lambda asked: reply) as server, pytest.raises(ImageError) as caught:
        fetched(f"{server.url}/leaf.jpg")
    assert caught.value.reason == FailureReason.NOT_FETCHED


@pytest.mark.parametrize("url", ["http://[::1/leaf.jpg", "http://a..b/leaf.jpg", "http://x\ud800/leaf.jpg", "http://"])
def test_no_address_ends_the_run(url: str) -> None:
    with pytest.raises(ImageError) as caught:
        fetched(url)
    assert caught.value.reason == FailureReason.NOT_FETCHED


def test_strange_records_and_addresses_are_failures_of_a_collection(tmp_path: Path) -> None:
    services = Services()

    def redirect(asked: Asked) -> Reply | None:
        return to("http://a..b/") if asked.path == "/images/4.jpg" else None

    services.fault = redirect
    with WebServer(services) as server:
        records = [record(number, server.url) for number in range(1, 6)]
        records[0]["media"][0]["identifier"] = "http://[::1/leaf.jpg"
        records[1]["media"][0]["identifier"] = f"{server.url}/\ud800.jpg"
        records[2]["scientificName"] = {"not": "text"}
        records[2]["media"] = 5
        services.records = {TARGET: [*records, 7, None]}  # type: ignore[list-item]
        done = collect(job_of(server.url, tmp_path))
    assert done.rows == 1
    assert done.by_reason == {"unreadable_record": 3, "refused_address": 2, "http_404": 1}


def test_a_search_reply_that_is_nested_without_end_is_refused_in_a_sentence(tmp_path: Path) -> None:
    services = Services()
    nested = Reply(b'{"results": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    services.fault = lambda asked: nested if asked.path.endswith("/occurrence/search") else None
    with WebServer(services) as server, pytest.raises(SourceError, match=r"GBIF's search failed\..*nested too deeply"):
        collect(job_of(server.url, tmp_path))


def test_a_small_reply_that_unpacks_to_much_is_refused() -> None:
    bomb = Reply(gzip.compress(b" " * 60_000_000), headers={"Content-Encoding": "gzip"})
    with WebServer(lambda asked: bomb) as server, pytest.raises(ImageError, match="over 1000000 bytes"):
        fetched(f"{server.url}/service/info.json")


def test_compressed_replies_are_read() -> None:
    packed = Reply(gzip.compress(b'{"fine": true}'), headers={"Content-Encoding": "gzip"})
    cut = Reply(packed.body[:-6], headers=packed.headers)

    async def ask(url: str) -> object:
        async with WebClient(settings(attempts=1)) as client:
            return await client.fetch_json(url)

    with WebServer(lambda asked: cut if asked.path == "/cut" else packed) as server:
        assert asyncio.run(ask(f"{server.url}/x")) == {"fine": True}
        with pytest.raises(FetchError, match="before the end"):
            asyncio.run(ask(f"{server.url}/cut"))


def test_a_body_that_drips_is_given_up() -> None:
    started = time.monotonic()
    with WebServer(lambda asked: Reply(WHOLE * 20, kind="image/jpeg", fault="drip")) as server:
        with pytest.raises(ImageError, match="bytes a second; the least is 5000"):
            fetched(f"{server.url}/a.jpg", timeout=0.3, least_rate=5000)
        with pytest.raises(ImageError, match="needed over"):
            fetched(f"{server.url}/b.jpg", longest_transfer=0.5)
    assert time.monotonic() - started < 15


def test_an_image_whose_first_packet_is_one_byte_is_taken() -> None:
    with WebServer(lambda asked: Reply(WHOLE, kind="image/jpeg", fault="late")) as server:
        assert fetched(f"{server.url}/a.jpg") == WHOLE


def test_cookies_are_kept_within_one_chain_of_redirects() -> None:
    def answer(asked: Asked) -> Reply:
        if "seen=1" in asked.headers.get("Cookie", ""):
            return Reply(WHOLE, kind="image/jpeg")
        return Reply(b"", 302, headers={"Location": asked.path, "Set-Cookie": "seen=1; Path=/"})

    with WebServer(answer) as server:
        assert fetched(f"{server.url}/a.jpg") == WHOLE
        assert fetched(f"{server.url}/b.jpg") == WHOLE
        assert len(server.asked) == 4  # the second chain began without the cookie


SIGNED = "/s/a%27b%2c.jpg?Sig=x%2Fy%2Bz%3D&e=%7E"


def test_addresses_are_asked_for_exactly_as_given() -> None:
    def answer(asked: Asked) -> Reply:
        return to(SIGNED) if asked.raw == "/to" else Reply(WHOLE, kind="image/jpeg")

    with WebServer(answer) as server:
        fetched(f"{server.url}/to")
        fetched(server.url + SIGNED)
        fetched(f"{server.url}/blatt grün 100%.jpg")
        assert [one.raw for one in server.asked] == ["/to", SIGNED, SIGNED, "/blatt%20gr%C3%BCn%20100%25.jpg"]


IMAGE = "http://iiif.io/api/image/2/level2.json"


@pytest.mark.parametrize(
    "image",
    [
        {"service": [{"@id": "B/phys", "profile": "http://iiif.io/api/annex/services/physdim"}, {"@id": "B/v2"}]},
        {
            "service": [
                {"@id": "B/auth", "profile": "http://iiif.io/api/auth/1/login"},
                {"@id": "B/v2", "profile": IMAGE},
            ]
        },
        {"service": {"@id": "B/v2", "profile": [IMAGE, {"formats": ["jpg"]}]}},
        {"type": "SpecificResource", "source": {"service": [{"id": "B/v2", "type": "ImageService3"}]}},
        {"type": "Choice", "items": [{"type": "SpecificResource", "source": {"service": [{"id": "B/v2"}]}}]},
    ],
)
def test_the_image_service_of_a_manifest_is_found(image: dict[str, object]) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path == "/v2/info.json":
            return as_json(INFO)
        listed = json.loads(json.dumps(image).replace("B/", f"{server.url}/"))
        return as_json({"items": [{"items": [{"items": [{"body": listed}]}]}]})

    async def resolve(url: str) -> str:
        async with WebClient(settings()) as client:
            return await resolve_image_url(client, url, 4096)

    with WebServer(answer) as server:
        found = asyncio.run(resolve(f"{MANIFEST_PREFIX}{server.url}/manifest"))
        assert (
            found
            == asyncio.run(resolve(f"{SERVICE_PREFIX}{server.url}/v2"))
            == f"{server.url}/v2/full/full/0/default.jpg"
        )
