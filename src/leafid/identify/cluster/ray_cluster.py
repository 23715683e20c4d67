"""Identification on a Ray cluster: workers identify blocks of images, and records come in input order.

A worker is a Ray actor on one GPU or on a few CPU cores. It loads the bundle once, reads the images of its blocks and
runs ``Identifier.identify`` on them, so all machines must see the bundle and the images under the same paths. Each
machine unpacks a packed bundle into its own cache. Each idle worker takes the next block; a block whose machine is lost
is tried again by any worker, and an image on which workers crash repeatedly gets a failed record. Ray does not restart
the workers: it would keep the blocks of a lost machine for a worker that may find no free cores for ever.

Actors are used instead of Ray Data, which gave the same records but started later, always wrote to the terminal and
retries a lost block without limit (Ray 2.60).

The cluster at ``RAY_ADDRESS`` is joined; without that variable a local one runs until the identification ends. Usage
reports of Ray are off, and its terminal output is suppressed; its logs are in ``/tmp/ray``.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Self, Unpack

from leafid.bundle import BundleInfo, is_bundle_address, read_bundle
from leafid.cores import usable_cores
from leafid.errors import InstallationError, UsageError
from leafid.identify.cluster.ray_blocks import MIN_BLOCK_IMAGES, identify_on_workers
from leafid.identify.engines.engine import EngineName
from leafid.identify.question import IdentifyOptions
from leafid.identify.records import Record
from leafid.sources import is_web_address

CORES = 4
"""CPU cores of a worker without GPU. More gain little because of the GIL; fewer mean more workers and more memory."""

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
    bundle: str
    """Absolute path or address, as given: each machine unpacks or fetches a packed bundle into its own cache."""
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
            bundle: a path that is valid on all machines, or an address.
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
        named = str(bundle) if is_bundle_address(bundle) else os.path.abspath(bundle)
        return cls(read_bundle(bundle).info, named, device, engine, references, cores)

    def batch_size(self, setting: int | Literal["auto"] = "auto") -> int:
        """Return the number of records that are written together."""
        return MIN_BLOCK_IMAGES if setting == "auto" else setting

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
            records = identify_on_workers(self, workers, [os.path.abspath(path) for path in named], options)
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
