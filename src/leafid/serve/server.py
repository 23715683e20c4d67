"""Run the service until it is stopped."""

import asyncio
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from leafid.bundle import check_is_bundle, read_bundle
from leafid.errors import ExitCode, UsageError
from leafid.serve.application import create_app
from leafid.serve.settings import Listening, ServeSettings

_BACKLOG = 128
_ENDING_SECONDS = 30


def serve_bundle(settings: ServeSettings) -> ExitCode:
    """Serve a bundle until Ctrl-C or a signal to end; requests in work are answered first.

    Raises:
        BundleError: the bundle cannot be used.
        UsageError: the address is in use, or is none of this machine.
    """
    check_is_bundle(settings.bundle)
    bundle = read_bundle(settings.bundle)
    run_app(lambda: create_app(settings, bundle), settings)
    return ExitCode.OK


def run_app(create: Callable[[], FastAPI], settings: Listening) -> None:
    """Run an application until Ctrl-C or a signal to end.

    Args:
        create: makes it, once the address is known to be free.
        settings: the address.

    Raises:
        UsageError: the address cannot be used, or the application could not start.
    """
    with _listening(settings) as listening:
        config = uvicorn.Config(
            create(),
            http=_protocol(settings.limits.header_seconds),
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=settings.limits.connections,
            timeout_keep_alive=10,
            timeout_graceful_shutdown=_ENDING_SECONDS,
        )
        port = listening.getsockname()[1]
        server = _Server(config, f"http://{_in_address(settings.host)}:{port}")
        asyncio.run(server.serve(sockets=[listening]))
    if not server.started:
        raise UsageError("The service could not start; the message above gives the reason.")


class _Server(uvicorn.Server):
    """A server that says when it is ready."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self._address = address

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the service; a second Ctrl-C does not wait for requests. uvicorn would end the whole process."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(f"leafid is ready at {self._address} (Ctrl-C ends it)", flush=True)


def _protocol(header_seconds: float) -> type[H11Protocol]:
    """Return a protocol that closes a connection whose first request does not come; uvicorn waits for ever."""

    class Protocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.loop.call_later(header_seconds, self._close_if_silent)

        def _close_if_silent(self) -> None:
            if self.cycle is None and not self.transport.is_closing():
                self.transport.close()

    return Protocol


def _listening(settings: Listening) -> socket.socket:
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"--host {settings.host} --port {settings.port}: {reason}. Choose another port, such as --port 8081, or an "
            "address of this machine."
        ) from None


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
