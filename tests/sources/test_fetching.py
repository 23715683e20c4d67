"""Every planned image is on disk exactly once or a failure with a reason, despite faults of hosts and machine."""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from leafid.catalog import read_catalog
from leafid.errors import OutputError, SourceError
from leafid.files import sha256_of
from leafid.jobs import Job
from leafid.sources import collect
from leafid.sources.fetching.image_store import ImageStore
from leafid.sources.fetching.journal import FetchOutcome, Journal
from tests.sources.public_services import KEYS, Services, job_of, record
from tests.sources.test_archive import archive
from tests.sources.web_server import FAULTS, Asked, Reply, WebServer, etag_of, misbehave, sheet

BIG = sheet(1, side=1000, quality=95)
"""An image large enough to be continued after an interruption."""


def with_images(count: int) -> Services:
    services = Services()
    services.records = {KEYS["Mitragyna speciosa"]: []}
    services.images = {f"{number}.jpg": sheet(number) for number in range(1, count + 1)}
    return services


def publish(services: Services, url: str) -> None:
    numbers = range(1, len(services.images) + 1)
    services.records = {KEYS["Mitragyna speciosa"]: [record(number, url) for number in numbers]}


def images_on_disk(data: Path) -> list[Path]:
    return [path for path in (data / "images").glob("??/*") if path.is_file()]


def test_a_truncated_file_is_continued(tmp_path: Path) -> None:
    assert len(BIG) > 1_000_000
    services = with_images(1)
    services.images["1.jpg"] = BIG
    good = Reply(BIG, kind="image/jpeg", headers={"ETag": etag_of(BIG)})
    times = Counter[str]()

    def cut_once(asked: Asked) -> Reply | None:
        times[asked.path] += 1
        return misbehave(good, "cut") if asked.path == "/images/1.jpg" and times[asked.path] == 1 else None

    services.fault = cut_once
    with WebServer(services) as server:
        publish(services, server.url)
        collect(job_of(server.url, tmp_path))
        asked = [one for one in server.asked if one.path == "/images/1.jpg"]
    assert [path.read_bytes() for path in images_on_disk(tmp_path)] == [BIG]
    assert len(asked) == 2
    start = int(asked[1].headers["Range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < start < len(BIG)
    assert asked[1].headers["If-Range"] == etag_of(BIG)


def test_a_changed_file_is_fetched_again(tmp_path: Path) -> None:
    services = with_images(1)
    other = sheet(2, side=1000, quality=95)
    answers = [
        misbehave(Reply(BIG, kind="image/jpeg", headers={"ETag": etag_of(BIG)}), "cut"),
        Reply(other, kind="image/jpeg", headers={"ETag": etag_of(other)}),
    ]
    services.fault = lambda asked: answers.pop(0) if asked.path == "/images/1.jpg" else None
    with WebServer(services) as server:
        publish(services, server.url)
        collect(job_of(server.url, tmp_path))
    assert [path.read_bytes() for path in images_on_disk(tmp_path)] == [other]


def test_a_complete_partial_file_is_not_fetched_again(tmp_path: Path) -> None:
    services = with_images(1)
    services.images["1.jpg"] = BIG
    with WebServer(services) as server:
        publish(services, server.url)
        job = job_of(server.url, tmp_path)
        url = f"{server.url}/images/1.jpg"
        store = ImageStore(tmp_path / "images")
        store.partial(url).parent.mkdir(parents=True)
        store.partial(url).write_bytes(BIG)  # killed after the last byte, before the check
        with Journal(tmp_path / "fetch.sqlite") as journal:
            journal.set_validator(url, etag_of(BIG))
        collect(job)
        asked = [one for one in server.asked if one.path == "/images/1.jpg"]
    assert [one.headers.get("Range") for one in asked] == [f"bytes={len(BIG)}-"]
    assert [path.read_bytes() for path in images_on_disk(tmp_path)] == [BIG]


def test_a_kill_between_journal_and_rename_loses_nothing(tmp_path: Path) -> None:
    services = with_images(3)
    with WebServer(services) as server:
        publish(services, server.url)
        job = job_of(server.url, tmp_path)
        collect(job)
        store = ImageStore(tmp_path / "images")
        with Journal(tmp_path / "fetch.sqlite") as journal:
            (one, first), (two, second), (three, third) = journal.finished()
        store.path(first).rename(store.partial(one))  # recorded, not yet renamed
        store.path(second).unlink()  # somebody deleted it
        store.path(third).write_bytes(b"")  # the machine lost power
        before = Counter(server.paths())
        assert collect(job).rows == 3
        again = Counter(server.paths()) - before
    fetched = {f"{server.url}{path}" for path in again if path.startswith("/images")}
    assert fetched == {two, three}
    assert all(sha256_of(path) == path.stem for path in images_on_disk(tmp_path))


def test_a_second_collection_of_a_job_is_refused(tmp_path: Path) -> None:
    with (
        WebServer(with_images(1)) as server,
        Journal(tmp_path / "fetch.sqlite"),
        pytest.raises(OutputError, match="another `leafid collect` of this job is running"),
    ):
        collect(job_of(server.url, tmp_path))


def test_a_damaged_journal_is_explained(tmp_path: Path) -> None:
    (tmp_path / "fetch.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(OutputError, match=r"is damaged .*Delete it; images on disk are kept"):
        Journal(tmp_path / "fetch.sqlite")


def test_a_full_disk_stops_with_a_message_and_the_command_can_continue(tmp_path: Path) -> None:
    """Limit the size of files in the collecting process, which has the same effect as a full disk."""
    services = with_images(3)
    services.images["3.jpg"] = BIG
    with WebServer(services) as server:
        publish(services, server.url)
        job = job_of(server.url, tmp_path / "data")
        code = (
            "import errno, io, sys; from pathlib import Path; from leafid.jobs import load_job\n"
            "from leafid.errors import LeafidError\nfrom leafid.sources import collect\n"
            "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, 900_000))\n"
            "try: collect(load_job(Path(sys.argv[1])))\nexcept LeafidError as error: print(error); sys.exit(2)\n"
        )
        file = write_job(job, tmp_path)
        stopped = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, timeout=60)
        assert stopped.returncode == 2, stopped.stderr
        assert "cannot be written" in stopped.stdout or "is full" in stopped.stdout
        assert "Traceback" not in stopped.stderr
        assert collect(job).rows == 3


def write_job(job: Job, folder: Path) -> Path:
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump(job.model_dump(mode="json")))
    return path


def test_a_new_journal_version_is_refused(tmp_path: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(tmp_path / "fetch.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(OutputError, match="newer leafid"):
        Journal(tmp_path / "fetch.sqlite")


def test_delayed_outcomes_keep_the_validator(tmp_path: Path) -> None:
    with Journal(tmp_path / "fetch.sqlite") as journal:
        journal.set_validator("u", '"tag"')
        journal.record("u", FetchOutcome("delayed", reason="truncated"))
        assert journal.validator("u") == '"tag"'
        journal.record("u", FetchOutcome("failed", reason="http_404"))
        assert journal.validator("u") is None


def test_a_private_address_is_a_failure_without_a_request(tmp_path: Path) -> None:
    """A publisher's archive names images on a private address, as a trap or by mistake."""
    with WebServer(with_images(2)) as server:
        media = [["1", "StillImage", f"{server.url}/images/1.jpg", "CC0", ""]]
        path = archive(tmp_path / "trap.zip", media=media)
        source = {"kind": "archive", "path": path}
        job = job_of(server.url, tmp_path / "data", sources=[source], fetching={"allow_private_addresses": False})
        with pytest.raises(SourceError, match="private network"):
            collect(job)
        assert server.asked == []
    assert "refused_address" in (tmp_path / "data" / "failures.csv").read_text(encoding="utf-8")


class Unreliable:
    """Lets a share of the requests fail, and all requests to some addresses."""

    def __init__(self, services: Services, share: float, seed: int) -> None:
        self.services = services
        self.share = share
        self.seed = seed
        self.times: Counter[str] = Counter()
        self.whole: Counter[str] = Counter()

    def __call__(self, asked: Asked) -> Reply | None:
        if not asked.path.startswith("/images/") or asked.method == "HEAD":
            return None
        number = int(asked.path[8:-4])
        self.times[asked.path] += 1
        drawn = random.Random(f"{self.seed} {number} {self.times[asked.path]}")
        body = self.services.images[f"{number}.jpg"]
        good = Reply(body, kind="image/jpeg", headers={"ETag": etag_of(body)})
        if number % 25 == 0:  # permanent failures of three kinds
            return (Reply(b"", 404), misbehave(good, "page"), misbehave(good, "drawing"))[number // 25 % 3]
        if drawn.random() < self.share:
            return misbehave(good, drawn.choice(FAULTS))
        self.whole[asked.path] += 1
        return good


def run_killed(job_file: Path, kills: int, every: int, requests: Callable[[], int]) -> tuple[int, int]:
    """Collect in a process, kill it after every ``every`` requests, then let it finish; return exit code and kills."""
    code = (
        "import sys; from pathlib import Path; from leafid.jobs import load_job; from leafid.sources import collect\n"
        "sys.exit(3 if collect(load_job(Path(sys.argv[1]))).failures else 0)"
    )
    for killed in range(kills):
        process = subprocess.Popen([sys.executable, "-c", code, str(job_file)])
        before = requests()
        while requests() < before + every:
            if process.poll() is not None:
                return process.returncode, killed
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    return subprocess.run([sys.executable, "-c", code, str(job_file)]).returncode, kills


def test_with_faults_and_kills_every_image_is_stored_once_or_a_failure(tmp_path: Path) -> None:
    count = int(os.environ.get("LEAFID_FAULT_IMAGES", "100"))
    kills = int(os.environ.get("LEAFID_FAULT_KILLS", "3"))
    services = with_images(count)
    unreliable = Unreliable(services, share=0.2, seed=7)
    services.fault = unreliable
    with WebServer(services) as server:
        publish(services, server.url)
        wish = {"timeout": 0.5, "attempts": 8, "connections_per_host": 8}
        job = job_of(server.url, tmp_path / "data", fetching=wish)
        exit_code, killed = run_killed(
            write_job(job, tmp_path), kills, count // (2 * kills), lambda: sum(unreliable.times.values())
        )
    catalog = read_catalog(tmp_path / "data" / "catalog.csv")
    with (tmp_path / "data" / "failures.csv").open(encoding="utf-8", newline="") as opened:
        failures = list(csv.DictReader(opened))
    gone = count // 25
    assert (exit_code, killed) == (3, kills)
    assert (len(catalog), len(failures)) == (count - gone, gone)
    assert all(failure["reason"] and failure["detail"] for failure in failures)
    addresses = [*catalog["accessURI"], *(failure["path"] for failure in failures)]
    assert sorted(addresses) == sorted(f"{server.url}/images/{number}.jpg" for number in range(1, count + 1))
    on_disk = images_on_disk(tmp_path / "data")
    assert sorted(path.stem for path in on_disk) == sorted(catalog["sha256"])
    assert all(sha256_of(path) == path.stem for path in on_disk)
    assert not list((tmp_path / "data" / "images" / ".partial").glob("*"))
    twice = sum(times > 1 for times in unreliable.whole.values())
    print(
        f"{count} images, {killed} kills, {sum(unreliable.times.values())} requests, {gone} failures, "
        f"{twice} images sent twice"
    )
    # Requests in flight at a kill may be repeated: at most ``connections_per_host`` each time.
    assert twice <= kills * 8
