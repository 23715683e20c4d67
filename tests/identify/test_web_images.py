"""Images from the web give the same records as files, in order; one that cannot be fetched gives a failed record."""

import io
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from leafid.errors import ExitCode
from leafid.identify import Identifier, Status, find_inputs, identify_to_file, read_records
from leafid.identify.inputs.prefetch import MAX_PREFETCHED, PrefetchedImage, prefetch
from leafid.jobs import FetchingSettings
from tests.identify.small_bundle import COLOURS, TARGET, leaf
from tests.sources.web_server import PAGE, Asked, Reply, WebServer, as_json, misbehave

LEAFID = Path(sys.executable).with_name("leafid")

SETTINGS = FetchingSettings(allow_private_addresses=True, spacing=0, first_pause=0.01, longest_pause=0.05, attempts=3)


def picture(number: int = 0, name: str = TARGET, side: int = 48) -> Reply:
    content = io.BytesIO()
    leaf(name, number, side=side).save(content, "JPEG", quality=95)
    return Reply(content.getvalue(), kind="image/jpeg")


class Herbarium:
    """Serves leaves, an IIIF service that scales, and trouble."""

    def __init__(self) -> None:
        self.url = ""
        self.failed_once: set[str] = set()

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/iiif/1/info.json":
            return as_json({"@context": "http://iiif.io/api/image/3/context.json", "width": 9000, "height": 6000})
        if asked.path.startswith("/iiif/1/full/"):
            return picture(side=60)
        if asked.path == "/iiif/1":
            return as_json({"see": "info.json"})
        if asked.path == "/book/manifest.json":
            body = {"type": "Image", "id": f"{self.url}/plain.jpg", "service": [{"id": f"{self.url}/iiif/1"}]}
            return as_json({"items": [{"items": [{"items": [{"body": body}]}]}]})
        match asked.path.strip("/"):
            case "gone.jpg":
                return Reply(b"no such sheet", 404, "text/plain")
            case "page.jpg":
                return Reply(PAGE, kind="text/html")
            case "half.jpg":
                return misbehave(picture(), "cut")
            case "busy.jpg" if "busy" not in self.failed_once:
                self.failed_once.add("busy")
                return misbehave(picture(), "broken")
            case "notes.json" | "data":
                return as_json({"leaf": 1})
            case name:
                number = int("".join(filter(str.isdecimal, name)) or 0)
                return picture(number, list(COLOURS)[number % 3])


@pytest.fixture
def server() -> Iterator[WebServer]:
    herbarium = Herbarium()
    with WebServer(herbarium) as running:
        herbarium.url = running.url
        yield running


def test_a_mixed_list_gives_one_record_each_in_order(identifier: Identifier, server: WebServer, tmp_path: Path) -> None:
    leaf(TARGET, 1).save(tmp_path / "here.jpg")
    names = [
        "1.jpg",
        "busy.jpg",
        "gone.jpg",
        "page.jpg",
        "half.jpg",
        "iiif/1/info.json",
        "iiif/1",
        "book/manifest.json",
    ]
    addresses = [f"{server.url}/{name}?a=[1]*" if name == "1.jpg" else f"{server.url}/{name}" for name in names]
    addresses += [f"{server.url}/notes.json", f"{server.url}/data", "http://", "https://leaf@example.org/x.jpg"]
    pd.DataFrame({"path": ["here.jpg", *addresses]}).to_csv(tmp_path / "list.csv", index=False)
    named = find_inputs([str(tmp_path / "list.csv"), addresses[0]]).paths
    assert named == (str(tmp_path / "here.jpg"), *addresses, addresses[0])

    output = tmp_path / "results.csv"
    summary = identify_to_file(identifier, named[:4], output, fetching=SETTINGS)
    summary = identify_to_file(identifier, named, output, existing="resume", fetching=SETTINGS)
    assert summary.resumed == 4
    records = list(read_records(output))
    assert tuple(record.path for record in records) == named
    found = [record.status if record.status is not Status.FAILED else record.reason for record in records]
    good = Status.IDENTIFIED
    reasons = found[3:6] + found[9:13]
    assert found[:3] == [good, good, good] and found[6:9] == [good] * 3 and found[13] == good
    for reason, expected in zip(
        reasons,
        ["http_404", "not_an_image", "truncated", "iiif", "not_an_image", "refused_address", "refused_address"],
        strict=True,
    ):
        assert isinstance(reason, str) and reason.startswith(f"not_fetched: {expected}: "), reason
    sizes = {one.path for one in server.asked if one.path.startswith("/iiif/1/full/")}
    assert sizes == {"/iiif/1/full/4096,/0/default.jpg"}


def test_private_addresses_are_fetched_only_if_allowed(identifier: Identifier, server: WebServer) -> None:
    (record,) = identifier.identify([f"{server.url}/1.jpg"])
    assert record.reason is not None and record.reason.startswith("not_fetched: refused_address")
    assert not server.asked


def test_prefetching_is_limited_and_temporary_files_are_deleted(server: WebServer) -> None:
    addresses = (f"{server.url}/{number}.jpg" for number in range(10**9))
    with prefetch(addresses, SETTINGS) as ahead:
        for number in range(100):
            one = next(ahead)
            assert isinstance(one, PrefetchedImage) and isinstance(one.file, Path)
            folder = one.file.parent
            with one.local_file() as file:
                assert file.stat().st_size > 500
            assert len([file for file in folder.iterdir() if file.suffix == ""]) <= MAX_PREFETCHED + 1
            assert len(server.asked) <= number + MAX_PREFETCHED + 1
    assert folder is not None and not folder.exists()
    assert not [thread for thread in threading.enumerate() if thread.name == "leafid-fetch"]


def test_local_files_open_no_connection(tmp_path: Path) -> None:
    paths: list[Path | str] = [tmp_path / "a.jpg", str(tmp_path / "b.jpg")]
    before = threading.active_count()
    with prefetch(paths, SETTINGS) as ahead:
        assert list(ahead) == paths and threading.active_count() == before


def test_addresses_are_read_from_standard_input_and_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"https://a.org/1.jpg\nHTTP://b.org/2.jpg\n")))
    pd.DataFrame({"path": ["http://c.org/x y.tif"]}).to_parquet(tmp_path / "list.parquet")
    found = find_inputs(["-", str(tmp_path / "list.parquet")]).paths
    assert found == ("https://a.org/1.jpg", "HTTP://b.org/2.jpg", "http://c.org/x y.tif")


def test_the_command_identifies_a_photo_from_the_web(bundle_folder: Path, server: WebServer, tmp_path: Path) -> None:
    command = [str(LEAFID), "identify", str(bundle_folder), f"{server.url}/1.jpg", "--allow-private-addresses"]
    command += ["--contact", "me@example.org", "-o", "results.jsonl"]
    shown = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=200, check=False)
    assert shown.returncode == ExitCode.OK, shown.stderr
    (record,) = read_records(tmp_path / "results.jsonl")
    assert record.status is Status.IDENTIFIED
    (asked,) = server.asked
    assert asked.headers["User-Agent"].endswith("(me@example.org)")
