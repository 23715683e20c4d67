"""Settings and limits of the service."""

from dataclasses import dataclass, field
from pathlib import Path

from leafid.cores import usable_cores

MAX_PHOTOS = 5
"""Photos of one plant in a request, as in Pl@ntNet."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a stranger's request may take."""

    photo_bytes: int = 50_000_000
    """A 24-megapixel photo of best quality has 20 MB."""
    address_bytes: int = 8_000
    """Path and query of a request, as most servers allow."""
    fields: int = 20
    """Form fields beside the photos: their organs and the options."""
    receiving_seconds: float = 60
    """For the whole body of a request; 5 phone photos take that long at 3 Mbit/s."""
    header_seconds: float = 20
    """For the first request line and headers of a connection."""
    answering_seconds: float = 120
    """After which a worker is ended; a sheet of 100 megapixels with characters takes 10 seconds."""
    worker_bytes: int = 3_000_000_000
    """Memory that a worker may take beyond that of the loaded bundle: images share a budget of 1 GB."""
    waiting: int = 64
    """Requests that wait for a worker; further ones are asked to come again."""
    connections: int = 400
    """Open connections, so that idle ones do not use up the files of the process (1,024 by default)."""

    @property
    def body_bytes(self) -> int:
        """The largest body of a request."""
        return MAX_PHOTOS * self.photo_bytes + 1_000_000


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where a service listens, and who may call it.

    Attributes:
        host: address to listen on.
        port: 0: any free port.
        api_key: what clients must send, if any.
        host_names: names under which clients reach this machine, beside its own and addresses in numbers.
        origins: web pages of other sites that may call the service, such as ``https://herbarium.example``.
        limits: on requests.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    api_key: str | None = None
    host_names: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    limits: Limits = Limits()


@dataclass(frozen=True, kw_only=True)
class ServeSettings(Listening):
    """The options of `leafid serve`.

    Attributes:
        bundle: the bundle folder, or the run that holds it.
        workers: processes that answer.
        device: device on which the networks run.
        engine: engine that runs them.
    """

    bundle: Path
    workers: int = field(default_factory=usable_cores)
    device: str = "auto"
    engine: str = "auto"


@dataclass(frozen=True, kw_only=True)
class ReviewSettings(Listening):
    """The options of `leafid review`.

    Attributes:
        results: the result file.
        bundle: its taxa are offered; None: those of the records.
    """

    results: Path
    bundle: Path | None = None
