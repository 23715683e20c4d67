"""A GBIF download is requested once, awaited, fetched once, and its DOI stored."""

import base64
from pathlib import Path
from typing import Any

import pytest

from leafid.catalog import read_catalog
from leafid.errors import SourceError
from leafid.sources import collect
from tests.sources.public_services import KEYS, Services, job_of
from tests.sources.test_archive import CORE, IMAGES, MEDIA, SHEETS, archive
from tests.sources.web_server import Asked, Reply, WebServer, as_json, etag_of

KEY = "0012150-260108223611665"
REQUEST = "/v1/occurrence/download/request"


class Downloads(Services):
    """GBIF with downloads, ready after two polls."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.statuses = ["PREPARING", "RUNNING", "SUCCEEDED"]
        self.request = Reply(KEY.encode(), 201)

    def __call__(self, asked: Asked) -> Reply:
        host = f"http://{asked.headers['Host']}"
        if asked.path == REQUEST:
            return self.request
        if asked.path == f"{REQUEST}/{KEY}.zip":
            return Reply(b"", 302, headers={"Location": f"{host}/files/{KEY}.zip"})
        if asked.path == f"/files/{KEY}.zip":
            media = [[row[0], row[1], f"{host}/images/{row[2][-5]}.jpg", *row[3:]] for row in IMAGES]
            gbif_id = [*CORE, "http://rs.gbif.org/terms/1.0/gbifID"]
            core = [[*row, row[0]] for row in SHEETS]
            path = archive(self.folder / "served.zip", media=media, media_columns=MEDIA, columns=gbif_id, core=core)
            return Reply(path.read_bytes(), kind="application/zip", headers={"ETag": etag_of(path.read_bytes())})
        if asked.path == f"/v1/occurrence/download/{KEY}":
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            return as_json(
                {"key": KEY, "status": status, "doi": "10.15468/dl.hx3uzz" if status == "SUCCEEDED" else None}
            )
        return super().__call__(asked)


def job(url: str, folder: Path, **source: Any) -> Any:  # noqa: ANN401 -- a job
    taxa = {"target": "Mitragyna speciosa", "look_alikes": [{"name": "Uncaria", "rank": "genus"}]}
    return job_of(url, folder, taxa=taxa, sources=[{"kind": "gbif_download", "poll": 0.01, **source}])


@pytest.fixture(autouse=True)
def botanist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GBIF_USER", "botanist")
    monkeypatch.setenv("GBIF_PWD", "secret")


def test_a_download_is_requested_awaited_and_read(tmp_path: Path) -> None:
    with WebServer(Downloads(tmp_path)) as server:
        collected = collect(job(server.url, tmp_path / "data"))
        again = collect(job(server.url, tmp_path / "data"))
        request = next(one for one in server.asked if one.path == REQUEST)
        assert server.paths().count(REQUEST) == 1
        assert server.paths().count(f"/files/{KEY}.zip") == 1
    catalog = read_catalog(collected.catalog_path)
    assert (collected.rows, again.rows) == (2, 2)
    assert set(catalog["downloadDOI"]) == {"10.15468/dl.hx3uzz"}
    assert set(catalog["source"]) == {"gbif_download"}
    assert "https://doi.org/10.15468/dl.hx3uzz" in (tmp_path / "data" / "CITATION.md").read_text()
    assert request.headers["Authorization"] == f"Basic {base64.b64encode(b'botanist:secret').decode()}"
    asked = request.json
    assert (asked["creator"], asked["format"], asked["sendNotification"]) == ("botanist", "DWCA", False)
    assert asked["predicate"]["predicates"][0] == {  # type: ignore[index]
        "type": "in",
        "key": "TAXON_KEY",
        "values": sorted([KEYS["Mitragyna speciosa"], KEYS["Uncaria"]]),
    }
    for path in (tmp_path / "data").rglob("*"):
        assert not path.is_file() or b"secret" not in path.read_bytes(), path


def test_an_existing_download_needs_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GBIF_USER")
    with WebServer(Downloads(tmp_path)) as server:
        assert collect(job(server.url, tmp_path / "data", key=KEY)).rows == 2
        assert REQUEST not in server.paths()


def test_credentials_may_come_from_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GBIF_USER")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ridsdale password uncaria\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with WebServer(Downloads(tmp_path)) as server:
        collect(job(server.url, tmp_path / "data"))
        request = next(one for one in server.asked if one.path == REQUEST)
    assert request.json["creator"] == "ridsdale"


def test_missing_credentials_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GBIF_PWD")
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    with WebServer(Downloads(tmp_path)) as server, pytest.raises(SourceError, match="GBIF_USER and GBIF_PWD"):
        collect(job(server.url, tmp_path / "data"))


@pytest.mark.parametrize(
    ("request_reply", "message"),
    [
        (Reply(b"", 401), "does not accept the user name 'botanist'"),
        (Reply(b"", 413), "too complex"),
        (Reply(b"Invalid predicate", 400), "Invalid predicate"),
    ],
)
def test_a_refused_request_is_explained(tmp_path: Path, request_reply: Reply, message: str) -> None:
    service = Downloads(tmp_path)
    service.request = request_reply
    with WebServer(service) as server, pytest.raises(SourceError, match=message):
        collect(job(server.url, tmp_path / "data"))


@pytest.mark.parametrize("status", ["KILLED", "CANCELLED", "FAILED", "FILE_ERASED"])
def test_the_next_call_requests_a_failed_download_again(tmp_path: Path, status: str) -> None:
    service = Downloads(tmp_path)
    service.statuses = [status, "SUCCEEDED"]
    with WebServer(service) as server:
        with pytest.raises(SourceError, match=f"GBIF download {KEY} has no file"):
            collect(job(server.url, tmp_path / "data"))
        assert collect(job(server.url, tmp_path / "data")).rows == 2
        assert server.paths().count(REQUEST) == 2
