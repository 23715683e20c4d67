"""What all requests share: the bundle's description, the workers, the folder of uploads."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from starlette.requests import Request

from leafid.bundle import BundleInfo, read_thumbnail
from leafid.serve.settings import Limits
from leafid.serve.worker_pool import WorkerPool


@dataclass(frozen=True)
class Service:
    """A running service.

    Attributes:
        info: the bundle's description.
        bundle: the bundle folder.
        pool: the workers.
        folder: where uploads are stored while a request lasts.
        limits: on requests.
        engine: name of the engine that runs the network.
        pictures: `image_id` of the reference specimens of which the bundle has a picture.
    """

    info: BundleInfo
    bundle: Path
    pool: WorkerPool
    folder: Path
    limits: Limits
    engine: str
    pictures: frozenset[str]

    def thumbnail(self, image_id: str) -> bytes | None:
        """Return the picture of a reference specimen as JPEG, if the bundle has one."""
        return read_thumbnail(self.bundle, image_id)


def service_of(request: Request) -> Service:
    """Return the service that a request was sent to."""
    return cast(Service, request.app.state.service)
