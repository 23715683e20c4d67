"""Checks of every request before anything of it is read: host, origin, key, size and time; and headers of every answer.

Written as ASGI middleware, because it must see the body as it arrives.
"""

import asyncio
import ipaddress
import secrets
import socket
from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leafid.serve.errors import RequestError, error_response
from leafid.serve.settings import Limits

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=()",
}
"""The page loads nothing from elsewhere, runs no script but its own, and cannot be framed."""

OPEN_PATHS = ("/health",)
"""Paths that need no key: those that monitoring asks for."""


class RequestGuard:
    """Middleware that refuses requests of foreign pages, without the key, too large or too slow.

    Args:
        app: what it guards.
        host_names: names that a Host header may have, beside addresses in numbers.
        origins: pages of other sites that may call the service.
        api_key: what clients must send as ``Authorization: Bearer KEY`` or ``?api-key=KEY``; None: nothing.
        limits: on body and time.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host_names: Iterable[str],
        origins: Iterable[str],
        api_key: str | None,
        limits: Limits,
    ) -> None:
        self._app = app
        self._host_names = {name.lower() for name in host_names}
        self._origins = {origin.rstrip("/").lower() for origin in origins}
        self._api_key, self._limits = api_key, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a good request on, with the headers of safety added to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            self._check(scope)
            await self._app(scope, self._limited(scope, receive), send_with_headers)
        except RequestError as error:
            if not started:
                await error_response(error)(scope, receive, send_with_headers)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_own(host):
            raise RequestError(
                421, f"This service is not called {host[:100]!r}. Start it with --host-name {host[:100]} to allow that."
            )
        if len(scope["raw_path"]) + len(scope["query_string"]) > self._limits.address_bytes:
            raise RequestError(414, f"The address is longer than {self._limits.address_bytes:,} characters.")
        origin = headers.get("origin")
        own_page = origin is None or urlsplit(origin).netloc.lower() == host.lower()
        if not own_page and str(origin).lower() not in self._origins:
            raise RequestError(403, "Pages of other sites may not call this service. Its owner can allow --origin.")
        if self._api_key is not None and scope["path"] not in OPEN_PATHS and scope["method"] != "OPTIONS":
            self._check_key(scope, headers)
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > self._limits.body_bytes:
            raise self._too_large()

    def _is_own(self, host: str) -> bool:
        """Whether a Host header names this service.

        A page elsewhere can let its own name point to this machine (DNS rebinding), and its script would then read
        the answers; it cannot do that with an address in numbers.
        """
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name.lower() in self._host_names
        return True

    def _check_key(self, scope: Scope, headers: Headers) -> None:
        given = headers.get("authorization", "").removeprefix("Bearer ")
        if not given:
            values = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=100).get("api-key", [""])
            given = values[0]
        if not secrets.compare_digest(given.encode(), str(self._api_key).encode()):
            raise RequestError(401, "Send the key of this service: Authorization: Bearer KEY, or ?api-key=KEY.")

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        """Return ``receive`` with limits on the bytes of the body and the time that it takes."""
        received, ends = 0, asyncio.get_running_loop().time() + self._limits.receiving_seconds
        complete = False

        async def limited() -> Message:
            nonlocal received, complete
            if complete:
                return await receive()  # waits for the disconnection
            try:
                async with asyncio.timeout_at(ends):
                    message = await receive()
            except TimeoutError:
                raise RequestError(
                    408, f"The photos did not arrive within {self._limits.receiving_seconds:g} seconds."
                ) from None
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                complete = not message.get("more_body", False)
                if received > self._limits.body_bytes:
                    raise self._too_large()
            return message

        return limited

    def _too_large(self) -> RequestError:
        megabytes = self._limits.body_bytes / 1e6
        return RequestError(413, f"The request is larger than {megabytes:.0f} MB. Send fewer or smaller photos.")


def own_names(host: str) -> set[str]:
    """Return the names under which this machine is reached, when it listens on ``host``."""
    return {"localhost", host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}
