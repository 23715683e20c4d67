"""Identification on a Ray cluster: workers hold the engine and take blocks of the images, the records come in order.

A worker is an actor of Ray on one GPU, or on a few CPU cores. It loads the bundle once, opens the images of its blocks
itself and names them as ``Identifier.identify`` does, so all machines must see the bundle and the images under the same
paths. A worker takes a block when it is free, and again where a machine is lost.

The actors are used as they are, not through Ray Data: that gave the same records, but began later, wrote to the
terminal whatever it was told, and lets a lost block be tried again and again for ever (Ray 2.60).

The cluster at ``RAY_ADDRESS`` is joined; without that variable one is started on this machine, for as long as it takes.
Nothing is reported to the makers of Ray, and nothing of Ray is shown in the terminal; its logs lie in ``/tmp/ray``.
"""

import logging
import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import Any, Literal, Self, Unpack

from leafid.bundle import BundleInfo, read_bundle
from leafid.cores import usable_cores
from leafid.errors import InstallationError, LeafidError, UsageError
from leafid.identify.engines.engine import EngineName
from leafid.identify.identifier import Identifier, IdentifyOptions
from leafid.identify.records import Record
from leafid.sources import is_web_address
from leafid.version import __version__

CORES = 4
"""CPU cores of a worker that has no GPU: more gain little, for Python itself runs on one; fewer need more memory."""

LARGEST_BLOCK = 256
"""Images that a worker is given at once, at most: what is done anew when it is lost, and told of when it is done."""

_SMALLEST_BLOCK = 8
_BLOCKS_PER_WORKER = 4  # so that none waits long for the last of them
_BLOCKS_AHEAD = 4  # for each worker, until the first of them is done: records wait in memory
_TRIES = 3  # of a block; images on which workers die so often stop the run
_OBJECT_STORE = 256 * 1024**2  # bytes on a cluster of this machine alone; paths and records are small


@dataclass(frozen=True)
class Workers:
    """How many workers there are, and what each of them has of its machine."""

    count: int
    cores: int
    gpus: int


@dataclass(frozen=True)
class ClusterIdentifier:
    """Names photos with a bundle, on a Ray cluster; what ``Identifier`` is on one machine."""

    info: BundleInfo
    bundle: Path
    device: str
    engine_name: EngineName | Literal["auto"]
    cited: int
    cores: int

    @classmethod
    def load(
        cls,
        bundle: Path | str,
        *,
        device: str = "auto",
        engine: EngineName | Literal["auto"] = "auto",
        references: int = 0,
        cores: int = CORES,
    ) -> Self:
        """Look at a bundle that workers will load; arguments as in ``Identifier.load``.

        Args:
            bundle: all machines must see it under this path.
            device: ``auto``: a worker for each GPU of the cluster; without any, as ``cpu``.
            engine: each worker chooses for itself where it is ``auto``.
            references: known specimens that a record cites for each of its candidates.
            cores: CPU cores of a worker that has no GPU; fewer where machines have fewer.

        Raises:
            BundleError: it is missing, damaged, foreign, or written by a newer leafid.
            InstallationError: Ray is not installed.
        """
        if find_spec("ray") is None:
            raise InstallationError("Ray is not installed: pip install 'leafid[ray]', here and on every machine of it.")
        read = read_bundle(Path(bundle))
        return cls(read.info, read.folder.absolute(), device, engine, references, cores)

    def batch_size(self, setting: int | Literal["auto"] = "auto") -> int:
        """Return how many records are written together."""
        return _SMALLEST_BLOCK if setting == "auto" else setting

    def identify(self, paths: Iterable[Path | str], **options: Unpack[IdentifyOptions]) -> Iterator[Record]:
        """Yield one record for each path, in order, as blocks of them are done; options as in ``Identifier.identify``.

        Raises:
            UsageError: a path is a web address; the cluster cannot be reached or has no cores; or a worker cannot begin
                (the bundle is not there, or so the engine), or is lost again and again.
        """
        named = list(map(str, paths))
        if addresses := [path for path in named if is_web_address(path)]:
            raise UsageError(
                f"{len(addresses)} of the images lie on the web ({addresses[0]} is the first). A cluster would ask for "
                "them from many machines at once: identify them without --engine-cluster, or save them first."
            )
        if not named:
            return
        with _ray() as nodes:
            workers = workers_on(nodes, device=self.device, cores=self.cores)
            records = _on_cluster(self, workers, [os.path.abspath(path) for path in named], options)
            with closing(records):
                for path, record in zip(named, records, strict=True):
                    yield replace(record, path=path)


def workers_on(nodes: Sequence[Mapping[str, Any]], *, device: str, cores: int) -> Workers:
    """Share out the machines of a cluster among workers: one for each GPU; without GPUs, one for so many cores.

    Args:
        nodes: as ``ray.nodes()`` tells of them.
        device: ``cpu`` leaves GPUs alone.
        cores: of a worker without GPU; fewer where the smallest machine has fewer.

    Raises:
        UsageError: the cluster has none.
    """
    machines = [node["Resources"] for node in nodes if node["Alive"]]
    with_gpu = [one for one in machines if one.get("GPU", 0) >= 1 and one.get("CPU", 0) >= 1]
    if with_gpu and device in ("auto", "cuda"):
        count = sum(int(one["GPU"]) for one in with_gpu)
        return Workers(count, max(1, min(int(one["CPU"] // one["GPU"]) for one in with_gpu)), 1)
    with_cores = [int(one["CPU"]) for one in machines if one.get("CPU", 0) >= 1]
    if device == "cuda" or not with_cores:
        raise UsageError(f"The Ray cluster has no {'GPU' if device == 'cuda' else 'CPU core'} for leafid.")
    cores = min(cores, *with_cores)
    return Workers(sum(one // cores for one in with_cores), cores, 0)


@contextmanager
def _ray() -> Iterator[list[dict[str, Any]]]:
    """Join the cluster, or start one here, quietly; give its machines."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = import_module("ray")
    if ray.is_initialized():  # by whoever uses leafid as a library
        yield ray.nodes()
        return
    address = os.environ.get("RAY_ADDRESS", "local")
    own = {"num_cpus": usable_cores(), "object_store_memory": _OBJECT_STORE, "include_dashboard": False}
    try:
        ray.init(address, logging_level=logging.CRITICAL, log_to_driver=False, **(own if address == "local" else {}))
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"The Ray cluster {address} cannot be joined: {error}. Set RAY_ADDRESS to that of its head, or unset it to "
            "use this machine alone."
        ) from None
    # Else it prints to standard output, whatever it was told above, that the workers are stopped when they are.
    vars(import_module("ray._private.worker"))["_worker_logs_enabled"] = False
    try:
        yield ray.nodes()
    finally:
        ray.shutdown()


def _on_cluster(
    identifier: ClusterIdentifier, workers: Workers, paths: Sequence[str], options: IdentifyOptions
) -> Generator[Record, None, None]:
    """Give each worker a block and the next, and yield the records of the blocks in order."""
    ray = import_module("ray")
    size = min(LARGEST_BLOCK, max(_SMALLEST_BLOCK, ceil(len(paths) / workers.count / _BLOCKS_PER_WORKER)))
    blocks = iter([list(paths[start : start + size]) for start in range(0, len(paths), size)])
    kind = ray.remote(_Worker).options(
        num_cpus=workers.cores, num_gpus=workers.gpus, max_restarts=-1, max_task_retries=_TRIES - 1
    )
    actors = [kind.remote(identifier, workers.cores, options, __version__) for _ in range(workers.count)]
    free = deque(actors * 2)
    busy: dict[Any, Any] = {}  # by what will be the records of a block, the worker that is at it
    waiting: deque[Any] = deque()  # the same in order, and what is done but not yet its turn
    try:
        while True:
            while free and len(waiting) < _BLOCKS_AHEAD * len(actors) and (block := next(blocks, None)):
                worker = free.popleft()
                waiting.append(worker.records_of.remote(block))
                busy[waiting[-1]] = worker
            if not waiting:
                return
            done, _ = ray.wait(list(busy), num_returns=1)
            free += [busy.pop(one) for one in done]
            while waiting and waiting[0] not in busy:
                records = ray.get(waiting.popleft())
                if isinstance(records, str):
                    raise UsageError(f"A worker of the Ray cluster cannot begin. {records}")
                yield from records
    except ray.exceptions.RayError as error:
        raise UsageError(
            f"The Ray cluster lost its workers on the same images {_TRIES} times ({type(error).__name__}). What was "
            "finished is kept; go on with --resume. The logs of Ray tell more."
        ) from error
    finally:
        for actor in actors:
            ray.kill(actor)


class _Worker:
    """Holds the engine on a machine of the cluster; what prevents that is told in the place of records."""

    def __init__(self, identifier: ClusterIdentifier, cores: int, options: IdentifyOptions, version: str) -> None:
        self._options = options
        self._loaded: Identifier | str = f"It has leafid {__version__}, this machine {version}; install the same."
        if version == __version__:
            try:
                self._loaded = Identifier.load(
                    identifier.bundle,
                    device=identifier.device,
                    engine=identifier.engine_name,
                    references=identifier.cited,
                    cores=cores,
                )
            except LeafidError as error:
                self._loaded = str(error)

    def records_of(self, paths: Sequence[str]) -> list[Record] | str:
        """Name the images of a block."""
        return self._loaded if isinstance(self._loaded, str) else list(self._loaded.identify(paths, **self._options))
