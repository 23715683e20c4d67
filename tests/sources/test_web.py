"""The client limits the rate per host, retries transient errors, and refuses private addresses."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest

from leafid.jobs import FetchingSettings
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.web_client import MAX_CONSECUTIVE_FAULTS, WebClient
from tests.sources.web_server import Asked, Reply, WebServer, as_json


def settings(**changes: object) -> FetchingSettings:
    quick = {"contact": "flora@example.org", "allow_private_addresses": True, "spacing": 0, "first_pause": 0.01}
    return FetchingSettings.model_validate({**quick, "timeout": 0.5, **changes})


def ask(wish: FetchingSettings, *urls: str, **question: Any) -> list[Any]:  # noqa: ANN401 -- JSON
    async def run() -> list[Any]:
        async with WebClient(wish) as client:
            return await asyncio.gather(*(client.fetch_json(url, **question) for url in urls))

    return asyncio.run(run())


def first_fails(fault: Callable[[], Reply], times: int = 1) -> Callable[[Asked], Reply]:
    count = Counter[str]()

    def answer(asked: Asked) -> Reply:
        count[asked.path] += 1
        return fault() if count[asked.path] <= times else as_json({"fine": True})

    return answer


@pytest.mark.parametrize(
    "fault",
    [
        Reply(b"[]", 429),
        Reply(b"[]", 429, headers={"Retry-After": "0"}),
        Reply(b"", 503, headers={"Retry-After": "nonsense"}),
        Reply(b"oops", 500),
        Reply(fault="reset"),
        Reply(b'{"fine": false}', fault="cut"),
        Reply(fault="stall"),
    ],
    ids=["429", "429 with pause", "503", "500", "reset", "cut", "stall"],
)
def test_transient_errors_are_retried(fault: Reply) -> None:
    with WebServer(first_fails(lambda: fault)) as server:
        assert ask(settings(), f"{server.url}/x") == [{"fine": True}]
        assert len(server.asked) == 2


@pytest.mark.parametrize(("status", "times"), [(404, 1), (410, 1), (403, 1), (400, 1), (500, 3), (429, 3)])
def test_the_last_attempt_determines_the_reason(status: int, times: int) -> None:
    with WebServer(lambda asked: Reply(b"<p>no such <b>sheet</b></p>", status)) as server:
        with pytest.raises(FetchError, match=f"127.0.0.1 answered {status}: no such sheet") as error:
            ask(settings(attempts=3), f"{server.url}/x")
        assert (error.value.reason, error.value.transient) == (f"http_{status}", times > 1)
        assert len(server.asked) == times


def test_every_request_names_the_contact() -> None:
    with WebServer(lambda asked: as_json({})) as server:
        ask(settings(), f"{server.url}/x")
        assert "flora@example.org" in server.asked[0].headers["User-Agent"]
        assert server.asked[0].headers["User-Agent"].startswith("leafid/")


def test_retry_after_applies_to_all_requests_to_the_host() -> None:
    moments: list[float] = []

    def answer(asked: Asked) -> Reply:
        moments.append(time.monotonic())
        return Reply(b"[]", 429, headers={"Retry-After": "1"}) if len(moments) == 1 else as_json({})

    with WebServer(answer) as server:
        ask(settings(connections_per_host=1), *(f"{server.url}/{number}" for number in range(3)))
    assert all(later - moments[0] >= 0.99 for later in moments[1:])


def test_retry_after_may_be_a_date() -> None:
    moments: list[float] = []

    def answer(asked: Asked) -> Reply:
        moments.append(time.monotonic())
        then = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
        return Reply(b"[]", 429, headers={"Retry-After": then}) if len(moments) == 1 else as_json({})

    with WebServer(answer) as server:
        ask(settings(), f"{server.url}/x")
    assert moments[1] - moments[0] >= 0.9


def test_a_host_with_too_long_a_retry_after_is_not_contacted_again() -> None:
    with WebServer(lambda asked: Reply(b"[]", 429, headers={"Retry-After": "86400"})) as server:
        started = time.monotonic()
        for _ in range(2):
            with pytest.raises(FetchError):
                ask(settings(), f"{server.url}/a")
        assert time.monotonic() - started < 2
        assert len(server.asked) == 2


def test_a_host_that_always_fails_is_not_contacted_again() -> None:
    async def run(url: str) -> list[str]:
        reasons = []
        async with WebClient(settings(attempts=4, longest_pause=0.02)) as client:
            for number in range(8):
                with pytest.raises(FetchError) as error:
                    await client.fetch_json(f"{url}/{number}")
                reasons.append(error.value.reason)
        return reasons

    with WebServer(lambda asked: Reply(fault="reset")) as server:
        reasons = asyncio.run(run(server.url))
        assert len(server.asked) <= 2 * MAX_CONSECUTIVE_FAULTS  # aiohttp repeats requests on closed connections
    assert reasons == ["connection"] * 3 + ["host_down"] * 5


def test_requests_to_a_host_are_limited_and_spaced() -> None:
    moments: list[float] = []

    def answer(asked: Asked) -> Reply:
        moments.append(time.monotonic())
        return as_json({})

    with WebServer(answer) as server:
        ask(settings(connections_per_host=2, spacing=0.05), *(f"{server.url}/{number}" for number in range(8)))
        assert server.most_under_way <= 2
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert min(gaps) > 0.03


def test_redirects_are_followed_and_their_targets_checked() -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path == "/inside":
            return Reply(b"", 302, headers={"Location": "http://169.254.169.254/latest/meta-data/"})
        if asked.path == "/file":
            return Reply(b"", 302, headers={"Location": "file:///etc/passwd"})
        if asked.path == "/round":
            return Reply(b"", 301, headers={"Location": "/round"})
        return Reply(b"", 307, headers={"Location": "fine"}) if asked.path == "/start" else as_json({"there": True})

    with WebServer(answer) as server:
        assert ask(settings(), f"{server.url}/start") == [{"there": True}]
        with pytest.raises(FetchError, match="file:///etc/passwd") as error:
            ask(settings(), f"{server.url}/file")
        assert error.value.reason == "refused_address"
        with pytest.raises(FetchError, match="redirects"):
            ask(settings(), f"{server.url}/round")


def test_this_machine_is_refused_unless_allowed_also_by_name() -> None:
    with WebServer(lambda asked: as_json({})) as server:
        port = server.url.rsplit(":", 1)[1]
        # The last spelling is not recognised as local; only the IP address of the connection shows it.
        for host in ("127.0.0.1", "localhost", "0x7f.1"):
            with pytest.raises(FetchError) as error:
                ask(settings(allow_private_addresses=False), f"http://{host}:{port}/x")
            assert error.value.reason == "refused_address"
        assert server.asked == []


def test_a_name_that_resolves_into_this_machine_is_refused_at_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    resolve = socket.getaddrinfo

    def to_this_machine(host: str, *rest: Any, **more: Any) -> Any:  # noqa: ANN401 -- the resolver's own types
        return resolve("127.0.0.1" if host == "herbarium.example.org" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", to_this_machine)
    with WebServer(lambda asked: as_json({})) as server:
        url = server.url.replace("127.0.0.1", "herbarium.example.org")
        with pytest.raises(FetchError, match="private network") as error:
            ask(settings(allow_private_addresses=False), f"{url}/x")
        assert error.value.reason == "refused_address"
        assert server.asked == []
        assert ask(settings(), f"{url}/x") == [{}]


def test_a_password_does_not_follow_a_redirect_to_another_host() -> None:
    with WebServer(lambda asked: as_json({})) as other:
        to_other = Reply(b"", 307, headers={"Location": f"{other.url}/there"})
        with WebServer(lambda asked: to_other) as server:
            ask(settings(), f"{server.url}/here", authorization="Basic c2VjcmV0")
            assert "Authorization" in server.asked[0].headers
        assert "Authorization" not in other.asked[0].headers


def test_an_endless_reply_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leafid.sources.fetching.web_client.MAX_REPLY_BYTES", 1000)
    with (
        WebServer(lambda asked: as_json(["long"] * 1000)) as server,
        pytest.raises(FetchError, match="over 1000 bytes"),
    ):
        ask(settings(), f"{server.url}/x")
