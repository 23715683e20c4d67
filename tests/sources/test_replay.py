"""Recorded replies and archives, replayed from a local server, are all read or refused."""

import gzip
import json
import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from leafid.catalog import read_catalog
from leafid.errors import SourceError
from leafid.sources import collect
from tests.sources.public_services import job_of, match
from tests.sources.web_server import Asked, Reply, WebServer, as_json, sheet

ALL = (
    "CC0-1.0 CC-PDM-1.0 CC-BY-4.0 CC-BY-3.0 CC-BY-NC-4.0 CC-BY-NC-3.0 CC-BY-SA-4.0 CC-BY-SA-3.0 CC-BY-NC-SA-4.0 "
    "CC-BY-NC-SA-3.0 CC-BY-NC-ND-4.0 LicenseRef-Public-Domain missing unknown"
).split()


class Replay:
    """Answers with recorded replies whose web addresses point to this machine; every image is a small drawing."""

    def __init__(self, replies: dict[str, Any]) -> None:
        self.replies = replies
        self.host = ""
        self.drawn: dict[str, int] = {}

    def __call__(self, asked: Asked) -> Reply:
        if asked.path in self.replies:
            return as_json(self.local(self.replies[asked.path]))
        if asked.path.endswith("/manifest"):
            return Reply(b"", 404)  # the manifests themselves were not recorded; the JPEG beside each is
        if asked.path.endswith("/info.json"):
            return as_json({"@context": "http://iiif.io/api/image/2/context.json", "width": 4000, "height": 6000})
        number = self.drawn.setdefault(f"{asked.path}?{asked.query}", len(self.drawn))
        return Reply(sheet(number, side=16), kind="image/jpeg")

    def local(self, content: Any) -> Any:  # noqa: ANN401 -- JSON
        if isinstance(content, dict):
            return {key: self.local(value) for key, value in content.items()}
        if isinstance(content, list):
            return [self.local(value) for value in content]
        if (
            isinstance(content, str)
            and content.startswith(("http://", "https://"))
            and "creativecommons" not in content
        ):
            return f"http://{self.host}/{content.split('://', 1)[1]}"
        return content


def replayed(folder: Path, replies: dict[str, Any], **job: Any) -> tuple[Any, Counter[str]]:  # noqa: ANN401 -- JSON
    replay = Replay(replies)
    with WebServer(replay) as server:
        replay.host = server.url.removeprefix("http://")
        wish = {"licences": ALL, "connections_per_host": 8, **job.pop("fetching", {})}
        try:
            return collect(job_of(server.url, folder, fetching=wish, **job)), Counter(server.paths())
        except SourceError as error:
            return error, Counter()


def page_of(path: Path) -> dict[str, Any]:
    page: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    sheets = [one for one in page["results"] if one["basisOfRecord"] == "PRESERVED_SPECIMEN"]
    return {**page, "results": sheets, "endOfRecords": True, "count": len(sheets)}


@pytest.mark.parametrize(
    ("name", "taxon", "key", "licences", "rows"),
    [
        ("cycas_circinalis", "Cycas circinalis", "2683264", ALL, 100),
        ("cycas_circinalis", "Cycas circinalis", "2683264", ["CC0-1.0", "CC-BY-4.0"], 58),
        ("helianthus_new_format", "Encelia californica", "3118771", ALL, 23),
        ("nhm_multiple_media", "Theria primaria", "5148248", ALL, 1),
        ("reflora_references_only", "Myrcia", "3173889", ALL, 0),
    ],
)
def test_recorded_searches(
    tmp_path: Path, shared: Path, name: str, taxon: str, key: str, licences: list[str], rows: int
) -> None:
    page = page_of(shared / "fixtures" / "gbif" / f"occurrence_search_{name}.json")
    answer = match(taxon)
    answer["usage"]["key"] = key
    replies = {"/v2/species/match": answer, "/v1/occurrence/search": page}
    target = {"name": taxon, "rank": "species" if " " in taxon else "genus"}
    collected, _ = replayed(tmp_path, replies, taxa={"target": target}, fetching={"licences": licences})
    if rows == 0:
        assert isinstance(collected, SourceError)
        return
    catalog = read_catalog(collected.catalog_path)
    assert (len(catalog), collected.failures) == (rows, 0)
    assert set(catalog["scientificName"]) == {taxon}
    assert set(catalog["license"]) <= set(licences)
    assert not any(address.endswith(".dzi") for address in catalog["accessURI"])


def test_recorded_media_and_records_of_idigbio(tmp_path: Path, shared: Path) -> None:
    folder = shared / "fixtures" / "idigbio"
    media = json.loads((folder / "DERIVED_api_mediarecords_acer.json").read_text(encoding="utf-8"))
    records = json.loads((folder / "DERIVED_api_records_acer.json").read_text(encoding="utf-8"))
    # The two were recorded separately, so each medium is assigned one of the records.
    for medium, record in zip(media["items"], records["items"], strict=True):
        medium["indexTerms"]["records"] = [record["uuid"]]
    media["itemCount"] = len(media["items"])
    replies = {"/v2/search/media": media, "/v2/search/records": records}
    taxa = {"target": {"name": "Acer", "rank": "genus"}}
    collected, _ = replayed(tmp_path, replies, taxa=taxa, sources=[{"kind": "idigbio"}])
    catalog = read_catalog(collected.catalog_path)
    assert (len(catalog), collected.failures) == (10, 0)
    assert set(catalog["genus"]) == {"Acer"}


ARCHIVES: dict[str, tuple[str, int, str]] = {
    "dissco_dwca-invalid-ac-media.zip": ("specimen", 0, "There is no image"),
    "dissco_dwca-kew-gbif-media.zip": ("specimen", 18, ""),
    "dissco_dwca-lux-associated-media.zip": ("specimen", 0, "There is no image"),
    "dissco_dwca-naturalis-ac-media.zip": ("specimen", 14, ""),
    "dissco_dwca-only-occurrences.zip": ("specimen", 0, "There is no image"),
    "dwcaio_nhm_csv_json_quotes.zip": ("specimen", 1, ""),
    "gbif_download_finch_0000154-150116162929234.zip": ("specimen", 1, ""),
    "gbif_download_images_mixed_licence.zip": ("field", 1048, ""),
    "gbif_download_pontaurus_herbarium.zip": ("specimen", 0, "There is no image"),
    "idigbio_harvard_herbarium_download.zip": ("specimen", 74, ""),
    "preston_plazidwca.zip": ("specimen", 0, "a table of Taxon, not of occurrences"),
}


def test_every_recorded_archive_is_tested(shared: Path) -> None:
    assert {path.name for path in (shared / "fixtures" / "dwca").iterdir()} == set(ARCHIVES)


@pytest.mark.parametrize("name", ARCHIVES)
def test_recorded_archives(tmp_path: Path, shared: Path, name: str) -> None:
    domain, rows, message = ARCHIVES[name]
    with WebServer(Replay({})) as server:
        path = localised(shared / "fixtures" / "dwca" / name, tmp_path / name, server.url)
        source = {"kind": "archive", "path": path, "domain": domain}
        wish = {"licences": ALL, "connections_per_host": 8}
        job = job_of(server.url, tmp_path / "data", taxa=None, sources=[source], fetching=wish)
        if message:
            with pytest.raises(SourceError, match=message):
                collect(job)
            return
        collected = collect(job)
    failures = 5 if name.startswith("idigbio_harvard") else 0  # records without a scientific name
    assert (collected.rows, collected.failures) == (rows, failures)
    dois = {str(doi) for doi in read_catalog(collected.catalog_path)["downloadDOI"].dropna()}
    assert dois == ({"10.15468/dl.4gbcs6"} if name == "gbif_download_images_mixed_licence.zip" else set())


def localised(archive: Path, copy: Path, url: str) -> Path:
    """Copy an archive so that the addresses of its images point to this machine; nothing else is changed."""
    elsewhere = re.compile(rb"https?://(?!creativecommons|purl|rs\.|doi\.org)")
    with zipfile.ZipFile(archive) as read, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as written:
        for member in read.infolist():
            content = read.read(member)
            media = re.search(r"multimedia|image|^occurrence", member.filename, re.IGNORECASE)
            written.writestr(member, elsewhere.sub(url.encode() + b"/", content) if media else content)
    return copy


def test_a_compressed_reply_of_a_service_is_read(tmp_path: Path, shared: Path) -> None:
    text = (shared / "fixtures" / "gbif" / "occurrence_search_nhm_multiple_media.json").read_bytes()
    answer = match("Theria primaria")

    def answers(asked: Asked) -> Reply:
        if asked.path == "/v1/occurrence/search":
            page = {**json.loads(text), "endOfRecords": True}
            body = gzip.compress(
                json.dumps(page).replace("https://data.nhm.ac.uk", f"http://{asked.headers['Host']}").encode()
            )
            return Reply(body, headers={"Content-Encoding": "gzip"})
        if asked.path == "/v2/species/match":
            return as_json(answer)
        return Reply(sheet(1), kind="image/jpeg")

    with WebServer(answers) as server:
        job = job_of(server.url, tmp_path, taxa={"target": "Theria primaria"})
        assert collect(job).rows == 1
