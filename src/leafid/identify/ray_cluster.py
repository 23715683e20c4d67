"""Identification on a Ray cluster: workers identify blocks of images, and records come in input order.

A worker is a Ray actor on one GPU or on a few CPU cores. It loads the bundle once, reads the images of its blocks and
runs ``Identifier.identify`` on them, so all machines must see the bundle and the images under the same paths. Each
idle worker takes the next block; a block whose machine is lost is tried again, and an image on which workers crash
repeatedly gets a failed record.

Actors are used instead of Ray Data, which gave the same records but started later, always wrote to the terminal and
retries a lost block without limit (Ray 2.60).

The cluster at ``RAY_ADDRESS`` is joined; without that variable a local one runs until the identification ends. Usage
reports of Ray are off, and its terminal output is suppressed; its logs are in ``/tmp/ray``.
"""

import logging
import os
from collections import Counter, deque
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
from leafid.errors import FailureReason, InstallationError, LeafidError, UsageError
from leafid.identify.engines.engine import EngineName
from leafid.identify.identifier import Identifier
from leafid.identify.question import IdentifyOptions
from leafid.identify.records import Record, Status
from leafid.sources import is_web_address
from leafid.version import __version__

CORES = 4
"""CPU cores of a worker without GPU. More gain little because of the GIL; fewer mean more workers and more memory."""

MAX_BLOCK_IMAGES = 256
"""Maximum number of images in a block, the unit of retries and of progress."""

_MIN_BLOCK_IMAGES = 8
_BLOCKS_PER_WORKER = 4  # so that no worker is idle for long at the end
_BLOCKS_AHEAD = 4  # per worker; limits the records that wait in memory for an earlier block
_TRIES = 3  # of a block before its images are tried one by one, and of an image before it is failed
_MOST_CRASHES = 10  # in succession, of blocks and images; then something else is wrong
_OBJECT_STORE = 256 * 1024**2  # bytes, for a local cluster; paths and records are small


@dataclass(frozen=True)
class Workers:
    """Number of workers, and the CPU cores and GPUs of each."""

    count: int
    cores: int
    gpus: int


@dataclass(frozen=True)
class ClusterIdentifier:
    """Identifies photos with a bundle on a Ray cluster; the counterpart of ``Identifier`` on one machine."""

    info: BundleInfo
    bundle: Path
    device: str
    engine_name: EngineName | Literal["auto"]
    references_per_candidate: int
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
        """Check a bundle that workers will load; arguments as in ``Identifier.load``.

        Args:
            bundle: a path that is valid on all machines.
            device: ``auto``: one worker for each GPU of the cluster, or CPU workers if it has none.
            engine: ``auto``: each worker chooses for its machine.
            references: number of reference specimens that a record cites for each candidate.
            cores: CPU cores of a worker without GPU; fewer if a machine has fewer.

        Raises:
            BundleError: the bundle is missing, damaged, not from leafid, or written by a newer leafid.
            InstallationError: Ray is not installed.
        """
        if find_spec("ray") is None:
            raise InstallationError(
                "Ray is not installed. Run on this and every machine of the cluster: pip install 'leafid[ray]'"
            )
        read = read_bundle(bundle)
        return cls(read.info, read.folder.absolute(), device, engine, references, cores)

    def batch_size(self, setting: int | Literal["auto"] = "auto") -> int:
        """Return the number of records that are written together."""
        return _MIN_BLOCK_IMAGES if setting == "auto" else setting

    def identify(self, paths: Iterable[Path | str], **options: Unpack[IdentifyOptions]) -> Iterator[Record]:
        """Yield one record for each path, in order, as blocks are done; options as in ``Identifier.identify``.

        Raises:
            UsageError: a path is a web address or an image in memory; the cluster cannot be reached or has no cores; or
                a worker cannot start (bundle or engine is missing there) or is lost repeatedly.
        """
        given = list(paths)
        if not all(isinstance(path, str | Path) for path in given):
            raise UsageError("A cluster reads files that all its machines see. Save images in memory to files first.")
        named = list(map(str, given))
        if addresses := [path for path in named if is_web_address(path)]:
            raise UsageError(
                f"{len(addresses)} of the images are on the web ({addresses[0]} is the first). A cluster would request "
                "them from many machines at once. Identify them without --engine-cluster, or save them first."
            )
        if not named:
            return
        with _ray() as nodes:
            workers = allocate_workers(nodes, device=self.device, cores=self.cores)
            records = _on_cluster(self, workers, [os.path.abspath(path) for path in named], options)
            with closing(records):
                for path, record in zip(named, records, strict=True):
                    yield replace(record, path=path)


def allocate_workers(nodes: Sequence[Mapping[str, Any]], *, device: str, cores: int) -> Workers:
    """Divide a cluster into workers: one per GPU or, without GPUs, one per ``cores`` CPU cores.

    Args:
        nodes: as ``ray.nodes()`` returns them.
        device: ``cpu`` leaves GPUs unused.
        cores: CPU cores of a worker without GPU; fewer if the smallest machine has fewer.

    Raises:
        UsageError: the cluster has no GPU (``cuda``) or no CPU core.
    """
    machines = [node["Resources"] for node in nodes if node["Alive"]]
    with_gpu = [machine for machine in machines if machine.get("GPU", 0) >= 1 and machine.get("CPU", 0) >= 1]
    if with_gpu and device in ("auto", "cuda"):
        count = sum(int(machine["GPU"]) for machine in with_gpu)
        return Workers(count, max(1, min(int(machine["CPU"] // machine["GPU"]) for machine in with_gpu)), 1)
    with_cores = [int(machine["CPU"]) for machine in machines if machine.get("CPU", 0) >= 1]
    if device == "cuda" or not with_cores:
        raise UsageError(f"The Ray cluster has no {'GPU' if device == 'cuda' else 'CPU core'} for leafid.")
    cores = min(cores, *with_cores)
    return Workers(sum(available // cores for available in with_cores), cores, 0)


@contextmanager
def _ray() -> Iterator[list[dict[str, Any]]]:
    """Join the cluster or start a local one, without terminal output; yield its machines."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = import_module("ray")
    if ray.is_initialized():  # by a program that uses leafid as a library
        yield ray.nodes()
        return
    address = os.environ.get("RAY_ADDRESS", "local")
    own = {"num_cpus": usable_cores(), "object_store_memory": _OBJECT_STORE, "include_dashboard": False}
    try:
        ray.init(address, logging_level=logging.CRITICAL, log_to_driver=False, **(own if address == "local" else {}))
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"The Ray cluster {address} cannot be joined: {error}. Set RAY_ADDRESS to the address of its head "
            "node, or unset it to use this machine alone."
        ) from None
    # Else Ray prints to standard output when workers stop, despite the settings above.
    vars(import_module("ray._private.worker"))["_worker_logs_enabled"] = False
    try:
        yield ray.nodes()
    finally:
        ray.shutdown()


@dataclass(eq=False)
class _Block:
    """Images that a worker identifies together.

    Attributes:
        paths: the images.
        alone: nothing else is given to its worker meanwhile, so that it is known what made a worker crash.
        worker: index of its worker; None before it has one.
        records: the result.
    """

    paths: list[str]
    alone: bool = False
    worker: int | None = None
    records: list[Record] | None = None


def _on_cluster(
    identifier: ClusterIdentifier, workers: Workers, paths: Sequence[str], options: IdentifyOptions
) -> Generator[Record, None, None]:
    """Keep each worker supplied with blocks, and yield the records of the blocks in order.

    The images of a block on which workers crash are tried one by one; one that makes them crash again is failed.
    """
    ray = import_module("ray")
    size = min(MAX_BLOCK_IMAGES, max(_MIN_BLOCK_IMAGES, ceil(len(paths) / workers.count / _BLOCKS_PER_WORKER)))
    blocks = iter([_Block(list(paths[start : start + size])) for start in range(0, len(paths), size)])
    kind = ray.remote(_Worker).options(
        num_cpus=workers.cores, num_gpus=workers.gpus, max_restarts=-1, max_task_retries=_TRIES - 1
    )
    actors = [kind.remote(identifier, workers.cores, options, __version__) for _ in range(workers.count)]
    waiting: deque[_Block] = deque()  # in input order, including finished ones
    running: dict[Any, _Block] = {}  # by the future of its records
    crashes = 0  # in succession
    try:
        while True:
            while len(waiting) < _BLOCKS_AHEAD * len(actors) and (block := next(blocks, None)):
                waiting.append(block)
            if not waiting:
                return
            _give_out(waiting, running, actors)
            (done, *_), _ = ray.wait(list(running), num_returns=1)
            block = running.pop(done)
            try:
                block.records = _records_of(ray.get(done))
                crashes = 0
            except (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError):
                crashes += 1
                if crashes > _MOST_CRASHES:
                    raise
                if len(block.paths) == 1:
                    block.records = [_record_of_crash(identifier, block.paths[0])]
                else:
                    place = waiting.index(block)
                    waiting.remove(block)
                    for path in reversed(block.paths):
                        waiting.insert(place, _Block([path], alone=True))
            while waiting and waiting[0].records is not None:
                yield from waiting.popleft().records or ()
    except ray.exceptions.RayError as error:
        raise UsageError(
            f"The Ray cluster lost its workers again and again ({type(error).__name__}). Finished records are kept; "
            "continue with --resume. The logs of Ray in /tmp/ray have details."
        ) from error
    finally:
        for actor in actors:
            ray.kill(actor)


def _give_out(waiting: Iterable[_Block], running: dict[Any, _Block], actors: Sequence[Any]) -> None:
    """Give blocks to workers: up to two at a time, so that none waits for the next; one while a block must be alone."""
    open_ = [block for block in waiting if block.records is None]
    most = 1 if any(block.alone for block in open_) else 2
    load = Counter(block.worker for block in running.values())
    for block in open_:
        if block.worker is None:
            worker = min(range(len(actors)), key=lambda index: load[index])
            if load[worker] >= most:
                return
            block.worker = worker
            load[worker] += 1
            running[actors[worker].identify_block.remote(block.paths)] = block


def _records_of(answer: list[Record] | str) -> list[Record]:
    if isinstance(answer, str):
        raise UsageError(f"A worker of the Ray cluster cannot start. {answer}")
    return answer


def _record_of_crash(identifier: ClusterIdentifier, path: str) -> Record:
    reason = f"workers ended on it {_TRIES} times: the decoder crashed on it, or memory ran out"
    return Record(
        path=path,
        status=Status.FAILED,
        reason=f"{FailureReason.NOT_PROCESSED}: {reason}",
        bundle=identifier.info.identifier,
        leafid_version=__version__,
    )


class _Worker:
    """Holds a loaded identifier on a machine of the cluster, or the reason why it cannot be loaded."""

    def __init__(self, identifier: ClusterIdentifier, cores: int, options: IdentifyOptions, version: str) -> None:
        self._options = options
        self._loaded: Identifier | str = (
            f"It has leafid {__version__}, this machine {version}. Install the same version."
        )
        if version == __version__:
            try:
                self._loaded = Identifier.load(
                    identifier.bundle,
                    device=identifier.device,
                    engine=identifier.engine_name,
                    references=identifier.references_per_candidate,
                    cores=cores,
                )
            except LeafidError as error:
                self._loaded = str(error)

    def identify_block(self, paths: Sequence[str]) -> list[Record] | str:
        """Identify the images of a block; return the reason if the identifier could not be loaded."""
        return self._loaded if isinstance(self._loaded, str) else list(self._loaded.identify(paths, **self._options))
