"""A web server on this machine that answers as the public services do, and misbehaves on demand."""

import asyncio
import io
import json
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import TracebackType
from typing import Self

from aiohttp import web
from PIL import Image

PAGE = b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body>Back soon.</body></html>"
DRAWING = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><text>Image not available</text></svg>'


@dataclass(frozen=True)
class Reply:
    """An answer, and how it goes wrong.

    Faults: cut (after half the body), reset (before the headers), stall (say nothing), late (first byte alone), drip (a
    few bytes at a time).
    """

    body: bytes = b""
    status: int = 200
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: str | None = None


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    raw: str = ""

    @property
    def json(self) -> dict[str, object]:
        """The JSON that was posted."""
        content = json.loads(self.body)
        assert isinstance(content, dict)
        return content


Answer = Callable[[Asked], Reply]


def as_json(content: object, status: int = 200, **headers: str) -> Reply:
    return Reply(json.dumps(content).encode(), status, headers={k.replace("_", "-"): v for k, v in headers.items()})


def sheet(number: int, side: int = 48, quality: int = 90) -> bytes:
    """A small JPEG that no other number gives."""
    noise = random.Random(number).randbytes(side * side * 3)
    buffer = io.BytesIO()
    Image.frombytes("RGB", (side, side), noise).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


class WebServer:
    """Serves ``answer`` from a thread of its own; ``asked`` holds every request in order."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.under_way = 0
        self.most_under_way = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None
        self.url = ""

    def __enter__(self) -> Self:
        """Start serving on a free port."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def paths(self) -> list[str]:
        """The paths asked for, in order."""
        return [one.path for one in self.asked]

    async def _start(self) -> None:
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:  # those that stall
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        headers, raw = dict(request.headers), request.raw_path
        asked = Asked(request.method, request.path, dict(request.query), headers, await request.read(), raw)
        self.asked.append(asked)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self._send(request, asked, self.answer(asked))
        except ConnectionResetError:
            return web.Response()  # the other side was killed
        finally:
            self.under_way -= 1

    async def _send(self, request: web.Request, asked: Asked, reply: Reply) -> web.StreamResponse:
        if reply.fault == "stall":
            await asyncio.sleep(30)
        if reply.fault == "reset":
            self._abort(request)
            return web.Response()
        body, status, headers = reply.body, reply.status, {"Content-Type": reply.kind, **reply.headers}
        if "ETag" in headers and status == 200:
            headers["Accept-Ranges"] = "bytes"
            start = asked.headers.get("Range", "").removeprefix("bytes=").removesuffix("-")
            if start.isdecimal() and asked.headers.get("If-Range") == headers["ETag"]:
                if int(start) >= len(body):
                    return web.Response(status=416, headers={"Content-Range": f"bytes */{len(body)}"})
                headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
                status, body = 206, body[int(start) :]
        if asked.method == "HEAD" or reply.fault is None:
            return web.Response(body=body, status=status, headers=headers)
        response = web.StreamResponse(status=status, headers={**headers, "Content-Length": str(len(body))})
        await response.prepare(request)
        if reply.fault in ("late", "drip"):
            step = 1 if reply.fault == "late" else 5
            for offset in (0, step) if reply.fault == "late" else range(0, len(body), step):
                rest = offset and reply.fault == "late"
                await response.write(body[offset:] if rest else body[offset : offset + step])
                await asyncio.sleep(0.02)
            return response
        await response.write(body[: len(body) // 2])
        await asyncio.sleep(0.02)
        self._abort(request)
        return response

    @staticmethod
    def _abort(request: web.Request) -> None:
        if isinstance(request.transport, asyncio.Transport):
            request.transport.abort()


def etag_of(body: bytes) -> str:
    return f'"{sha256(body).hexdigest()[:16]}"'


FAULTS = ("busy", "broken", "stall", "reset", "cut", "page", "drawing")


def misbehave(good: Reply, fault: str | None) -> Reply:
    """Turn an answer into one of the faults that hosts show."""
    match fault:
        case "busy":
            return Reply(b'["Too many requests"]', 429, headers={"Retry-After": "0"})
        case "broken":
            return Reply(b"Internal Server Error", 500, "text/plain")
        case "page":
            return Reply(PAGE, 200, "text/html")
        case "drawing":
            return Reply(DRAWING, 200, "image/svg+xml")
        case None:
            return good
        case _:
            return Reply(good.body, good.status, good.kind, good.headers, fault)
