"""A running service: a real process on a free port."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

LEAFID = Path(sys.executable).with_name("leafid")


@dataclass(frozen=True)
class Running:
    """The address of a service, a client for it, and its process."""

    address: str
    client: httpx.Client
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self.address.rpartition(":")[2])

    def identify(self, *photos: Path, **query: str) -> httpx.Response:
        """Send photos of one plant."""
        return self.client.post("/v1/identify", params=query, files=form(*photos))


def form(*photos: Path) -> list[tuple[str, tuple[str, bytes]]]:
    """Return the photos as files of a form."""
    return [("images", (photo.name, photo.read_bytes())) for photo in photos]


@contextmanager
def running(bundle: Path, *options: str, program: list[str] | None = None, **variables: str) -> Iterator[Running]:
    """Start the service for the time of the block.

    Args:
        bundle: to serve.
        options: of the command.
        program: what to start in place of the command.
        variables: of the environment.
    """
    command = program or [str(LEAFID), "serve", str(bundle), "--port", "0", "--workers", "1", *options]
    process = subprocess.Popen(
        command, env={**os.environ, "OMP_NUM_THREADS": "1", **variables}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, f"the service did not start: {line!r}, exit code {process.poll()}"
        with httpx.Client(base_url=found[0], timeout=120, trust_env=False) as client:
            yield Running(found[0], client, process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            process.kill()
