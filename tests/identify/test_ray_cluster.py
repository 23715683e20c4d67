"""A local Ray cluster of two workers gives the same records as one machine."""

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from leafid.bundle import pack_bundle
from leafid.errors import ExitCode, InstallationError, UsageError
from leafid.identify import ClusterIdentifier, Identifier, Record, Status, identify_to_file, read_records
from leafid.identify.cluster.ray_cluster import Workers, allocate_workers
from tests.identify.processes import agree
from tests.identify.small_bundle import COLOURS, leaf

WITH_RAY = pytest.mark.skipif(find_spec("ray") is None, reason="leafid[ray] is not installed")
LEAFID = Path(sys.executable).with_name("leafid")


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Start Ray with two cores, for two workers of one; return its address."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = import_module("ray")
    started = ray.init(
        "local",
        num_cpus=2,
        object_store_memory=100_000_000,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
    )
    yield started.address_info["gcs_address"]
    ray.shutdown()


@WITH_RAY
def test_two_workers_give_the_same_records_in_the_same_order(
    cluster: str,
    bundle_folder: Path,
    identifier: Identifier,
    photos: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    odd = [Path(os.fsdecode(b"leaf\xff.png")), Path("missing.png")]
    leaf(next(iter(COLOURS)), 1).save(odd[0])
    named = [*photos, *odd, odd[0]]
    identify_to_file(identifier, named[:30], tmp_path / "results.jsonl")
    progress: list[tuple[int, int]] = []
    summary = identify_to_file(
        ClusterIdentifier.load(bundle_folder, device="cpu", cores=1),
        named,
        tmp_path / "results.jsonl",
        existing="resume",
        on_progress=lambda done, total: progress.append((done, total)),
    )
    assert summary.resumed == 30 and summary.images == 243 and summary.statuses[Status.FAILED] == 2
    identify_to_file(identifier, named, tmp_path / "alone.jsonl")
    agree(list(read_records(tmp_path / "results.jsonl")), list(read_records(tmp_path / "alone.jsonl")))
    assert progress[-1] == (243, 243) and len(progress) > 10


@WITH_RAY
def test_a_worker_that_cannot_start_gives_the_reason(cluster: str, bundle_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bundle_folder, tmp_path / "bundle"))
    identifier = ClusterIdentifier.load(folder, device="cpu", cores=2)
    shutil.rmtree(folder)
    with pytest.raises(UsageError, match=r"worker of the Ray cluster cannot start. There is no bundle"):
        list(identifier.identify(["a.jpg"]))


@WITH_RAY
def test_each_machine_unpacks_a_packed_bundle_for_itself(
    cluster: str, bundle_folder: Path, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache of the machine that gives out the images is one that no other machine sees."""
    packed = tmp_path / "colours.zip"
    pack_bundle(bundle_folder, packed)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache of the first machine"))
    identifier = ClusterIdentifier.load(packed, device="cpu", cores=1)
    shutil.rmtree(tmp_path / "cache of the first machine")
    (record,) = identifier.identify(photos[:1])
    assert record.status is Status.IDENTIFIED


@WITH_RAY
def test_a_machine_with_another_bundle_is_refused(cluster: str, bundle_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bundle_folder, tmp_path / "bundle"))
    identifier = ClusterIdentifier.load(folder, device="cpu", cores=2)
    info = folder / "bundle.json"
    info.write_text(info.read_text("utf-8").replace('"name": "colours"', '"name": "shapes"'), "utf-8")
    with pytest.raises(UsageError, match=r"bundle is shapes@\S+ there, and colours@\S+ on this machine"):
        list(identifier.identify(["a.jpg"]))


@WITH_RAY
def test_the_command_joins_a_cluster_quietly_and_ctrl_c_keeps_finished_records(
    cluster: str, bundle_folder: Path, photos: list[Path], expected: list[Record], tmp_path: Path
) -> None:
    many = photos * 50
    command = [LEAFID, "identify", bundle_folder, *many, "-o", "all.csv", "--engine-cluster", "ray"]
    output = tmp_path / "all.csv"
    with subprocess.Popen(
        list(map(str, command)),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"RAY_ADDRESS": cluster},
        # A process of a background job ignores SIGINT unless the handler is reset.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    ) as run:
        while run.poll() is None and not (output.exists() and output.stat().st_size > 2000):
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == ExitCode.INTERRUPTED, stderr.decode()
    # The small bundle of the tests has no calibration, and says so; Ray says nothing.
    assert stdout.startswith(b"The bundle colours was never calibrated") and b"ray" not in stdout.lower(), stdout
    assert re.fullmatch(rb"\s*(Identifying[^\n]*\s*)+", stderr), stderr
    finished = list(read_records(output))
    assert 0 < len(finished) < len(many)
    agree(finished[:240], expected[: len(finished)])


@WITH_RAY
def test_images_from_the_web_are_refused(bundle_folder: Path) -> None:
    identifier = ClusterIdentifier.load(bundle_folder)
    with pytest.raises(UsageError, match=r"1 of the images are on the web \(https://example.org/a.jpg"):
        list(identifier.identify(["https://example.org/a.jpg", "b.jpg"]))


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_message_names_the_extra(bundle_folder: Path) -> None:
    with pytest.raises(InstallationError, match=r"pip install 'leafid\[ray\]'"):
        ClusterIdentifier.load(bundle_folder)


def _machine(**resources: float) -> dict[str, object]:
    return {"Alive": True, "Resources": resources}


def test_machines_are_divided_into_workers() -> None:
    small, large = _machine(CPU=2.0, memory=1e9), _machine(CPU=17.0)
    gpus = _machine(CPU=16.0, GPU=2.0)
    gone = {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}
    assert allocate_workers([large, gone], device="auto", cores=4) == Workers(4, 4, 0)
    assert allocate_workers([small, large, gone], device="auto", cores=4) == Workers(9, 2, 0)
    assert allocate_workers([small, gpus, gone], device="auto", cores=4) == Workers(2, 8, 1)
    assert allocate_workers([gpus], device="cpu", cores=4) == Workers(4, 4, 0)
    with pytest.raises(UsageError, match="no GPU"):
        allocate_workers([small], device="cuda", cores=4)
    with pytest.raises(UsageError, match="no CPU core"):
        allocate_workers([gone], device="auto", cores=4)
