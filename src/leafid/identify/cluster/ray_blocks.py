"""Blocks of images on the workers of a Ray cluster: given out, tried again where a worker ends, returned in order."""

from collections import Counter, deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from math import ceil
from typing import TYPE_CHECKING, Any

from leafid.errors import FailureReason, LeafidError, UsageError
from leafid.identify.identifier import Identifier
from leafid.identify.question import IdentifyOptions
from leafid.identify.records import Record, Status
from leafid.version import __version__

if TYPE_CHECKING:
    from leafid.identify.cluster.ray_cluster import ClusterIdentifier, Workers

MAX_BLOCK_IMAGES = 256
"""Maximum number of images in a block, the unit of retries and of progress."""

MIN_BLOCK_IMAGES = 8
"""Minimum number, but for the last block."""
_BLOCKS_PER_WORKER = 4  # so that no worker is idle for long at the end
_BLOCKS_AHEAD = 4  # per worker; limits the records that wait in memory for an earlier block
_TRIES = 3  # of a block before its images are tried one by one, and of an image before it is failed
_MOST_CRASHES = 10  # in succession, of blocks and images; then something else is wrong


@dataclass(eq=False)
class _Block:
    """Images that a worker identifies together.

    Attributes:
        paths: the images.
        alone: nothing else is given to its worker meanwhile, so that it is known what made a worker crash.
        worker: that has it; None where none has.
        crashes: workers that ended on it.
        records: the result.
    """

    paths: list[str]
    alone: bool = False
    worker: "_RunningWorker | None" = None
    crashes: int = 0
    records: list[Record] | None = None


@dataclass(eq=False)
class _RunningWorker:
    """An actor, and whether it has loaded the bundle; before, it may wait for free cores."""

    actor: Any
    ready: bool = False


def identify_on_workers(
    identifier: "ClusterIdentifier", workers: "Workers", paths: Sequence[str], options: IdentifyOptions
) -> Generator[Record, None, None]:
    """Keep each worker supplied with blocks, and yield the records of the blocks in order.

    The images of a block on which workers crash are tried one by one; one that makes them crash again is failed.
    """
    ray = import_module("ray")
    size = min(MAX_BLOCK_IMAGES, max(MIN_BLOCK_IMAGES, ceil(len(paths) / workers.count / _BLOCKS_PER_WORKER)))
    blocks = iter([_Block(list(paths[start : start + size])) for start in range(0, len(paths), size)])
    kind = ray.remote(_Worker).options(num_cpus=workers.cores, num_gpus=workers.gpus)
    running: dict[Any, _Block | _RunningWorker] = {}  # by the future of its records, or of its being ready

    def start() -> _RunningWorker:
        worker = _RunningWorker(kind.remote(identifier, workers.cores, options, __version__))
        running[worker.actor.why_not_ready.remote()] = worker
        return worker

    team = [start() for _ in range(workers.count)]
    waiting: deque[_Block] = deque()  # in input order, including finished ones
    crashes = 0  # in succession, of blocks that were tried often enough and of workers that start
    try:
        while True:
            while len(waiting) < _BLOCKS_AHEAD * len(team) and (block := next(blocks, None)):
                waiting.append(block)
            if not waiting:
                return
            _give_out(waiting, running, team)
            (done, *_), _ = ray.wait(list(running), num_returns=1)
            ended = running.pop(done)
            try:
                answer = ray.get(done)
            except (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError, ray.exceptions.ObjectLostError):
                lost = ended if isinstance(ended, _RunningWorker) else ended.worker
                if lost is not None and lost in team:  # else another block has told it before
                    ray.kill(lost.actor)
                    team[team.index(lost)] = start()
                crashes += isinstance(ended, _RunningWorker) or _crashed_too_often(ended, waiting, identifier)
                if crashes > _MOST_CRASHES:
                    raise
            else:
                crashes = 0
                _take(answer, ended)
            while waiting and waiting[0].records is not None:
                yield from waiting.popleft().records or ()
    except ray.exceptions.RayError as error:
        raise UsageError(
            f"The Ray cluster lost its workers again and again ({type(error).__name__}). Finished records are kept; "
            "continue with --resume. The logs of Ray in /tmp/ray have details."
        ) from error
    finally:
        for worker in team:
            ray.kill(worker.actor)


def _give_out(
    waiting: Iterable[_Block], running: dict[Any, _Block | _RunningWorker], team: Sequence[_RunningWorker]
) -> None:
    """Give blocks to workers: up to two at a time, so that none waits for the next; one while a block must be alone."""
    open_ = [block for block in waiting if block.records is None]
    most = 1 if any(block.alone for block in open_) else 2
    load = Counter(work.worker for work in running.values() if isinstance(work, _Block))
    ready = [worker for worker in team if worker.ready]
    for block in open_:
        if block.worker is None and ready:
            worker = min(ready, key=lambda worker: load[worker])
            if load[worker] >= most:
                return
            block.worker = worker
            load[worker] += 1
            running[worker.actor.identify_block.remote(block.paths)] = block


def _take(answer: list[Record] | str | None, ended: _Block | _RunningWorker) -> None:
    """Take the records of a block, or learn that a worker is ready."""
    if isinstance(ended, _Block):
        assert isinstance(answer, list)
        ended.records = answer
    elif answer is None:
        ended.ready = True
    else:
        raise UsageError(f"A worker of the Ray cluster cannot start. {answer}")


def _crashed_too_often(block: _Block, waiting: deque[_Block], identifier: "ClusterIdentifier") -> bool:
    """Let a block be tried again whose worker ended; after ``_TRIES`` its images one by one, or fail its one image."""
    block.worker = None
    block.crashes += 1
    if block.crashes < _TRIES:
        return False
    if len(block.paths) == 1:
        block.records = [_record_of_crash(identifier, block.paths[0])]
        return True
    place = waiting.index(block)
    waiting.remove(block)
    for path in reversed(block.paths):
        waiting.insert(place, _Block([path], alone=True))
    return True


def _record_of_crash(identifier: "ClusterIdentifier", path: str) -> Record:
    reason = f"workers ended on it {_TRIES} times: the decoder crashed on it, or memory ran out"
    return Record(
        path=path,
        status=Status.FAILED,
        reason=f"{FailureReason.NOT_PROCESSED}: {reason}",
        bundle=identifier.info.identifier,
        leafid_version=__version__,
    )


class _Worker:
    """Holds a loaded identifier on a machine of the cluster."""

    def __init__(self, identifier: "ClusterIdentifier", cores: int, options: IdentifyOptions, version: str) -> None:
        self._options = options
        self._identifier: Identifier | None = None
        self._why_not_ready: str | None = None
        if version != __version__:
            self._why_not_ready = f"It has leafid {__version__}, this machine {version}. Install the same version."
            return
        try:
            self._identifier = Identifier.load(
                identifier.bundle,
                device=identifier.device,
                engine=identifier.engine_name,
                references=identifier.references_per_candidate,
                cores=cores,
            )
        except LeafidError as error:
            self._why_not_ready = str(error)
            return
        if (found := self._identifier.info.identifier) != identifier.info.identifier:
            self._why_not_ready = (
                f"{identifier.bundle} is {found} there, and {identifier.info.identifier} on this machine. Give all "
                "machines the same bundle."
            )

    def why_not_ready(self) -> str | None:
        """Return the reason if the identifier could not be loaded."""
        return self._why_not_ready

    def identify_block(self, paths: Sequence[str]) -> list[Record]:
        """Identify the images of a block."""
        assert self._identifier is not None, "blocks are given to workers that are ready"
        return list(self._identifier.identify(paths, **self._options))
