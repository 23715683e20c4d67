"""Servers on this machine: one offers files over https, the other answers as the Hugging Face Hub does."""

import hashlib
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class _Files(BaseHTTPRequestHandler):
    files: Mapping[str, bytes]
    stated_size: int | None = None
    requests: list[str]

    def do_GET(self) -> None:
        self.requests.append(self.path)
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
        elif self.path not in self.files:
            self.send_error(404)
        else:
            content = self.files[self.path]
            self.send_response(200)
            if self.stated_size != 0:
                self.send_header("Content-Length", str(self.stated_size or len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *_: object) -> None:
        """Print nothing."""


@contextmanager
def _served(handler: type[BaseHTTPRequestHandler], certificate: Path | None = None) -> Iterator[str]:
    server = ThreadingHTTPServer(("localhost", 0), handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{'http' if certificate is None else 'https'}://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def make_certificate(folder: Path) -> Path:
    """Make a certificate for localhost with its key, in one file."""
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    return both


@contextmanager
def https_server(
    files: Mapping[str, bytes], certificate: Path, *, stated_size: int | None = None
) -> Iterator[tuple[str, list[str]]]:
    """Offer files over https; yield the address, and the list of requests as it grows.

    Args:
        files: content by path; ``/to/ADDRESS`` redirects to another address.
        certificate: from ``make_certificate``.
        stated_size: what Content-Length says, instead of the truth; 0: there is none.
    """
    requests: list[str] = []
    handler = type("Files", (_Files,), {"files": files, "requests": requests, "stated_size": stated_size})
    with _served(handler, certificate) as address:
        yield address, requests


class _Hub(BaseHTTPRequestHandler):
    models: Mapping[str, Mapping[str, bytes]]
    stated_size: int | None = None

    def do_HEAD(self) -> None:
        self._answer(False)

    def do_GET(self) -> None:
        self._answer(True)

    def _answer(self, with_body: bool) -> None:
        words = self.path.partition("?")[0].strip("/").split("/")
        if words[:2] == ["api", "models"] and "/".join(words[2:4]) in self.models:
            self._describe("/".join(words[2:4]), with_body)
        elif words[2:3] == ["resolve"] and (files := self.models.get("/".join(words[:2]))):
            self._send(files["/".join(words[4:])], with_body)
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()

    def _describe(self, name: str, with_body: bool) -> None:
        files = [
            {"rfilename": file, "size": self.stated_size or len(content)} for file, content in self.models[name].items()
        ]
        described = {"id": name, "modelId": name, "sha": COMMIT, "siblings": files, "tags": [], "private": False}
        self._send(json.dumps(described).encode(), with_body)

    def _send(self, content: bytes, with_body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, format: str, *_: object) -> None:
        """Print nothing."""


@contextmanager
def hub(models: Mapping[str, Mapping[str, bytes]], *, stated_size: int | None = None) -> Iterator[str]:
    """Answer as the Hugging Face Hub does, for these models: their files by name; yield the address."""
    with _served(type("Hub", (_Hub,), {"models": models, "stated_size": stated_size})) as address:
        yield address
