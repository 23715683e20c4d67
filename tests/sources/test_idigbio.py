"""iDigBio's media and records are joined to occurrences with the publisher's values."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from leafid.catalog import read_catalog
from leafid.errors import SourceError
from leafid.sources import collect, dry_run
from tests.sources.public_services import job_of
from tests.sources.web_server import DRAWING, Asked, Reply, WebServer, as_json, sheet

LICENCE = "URL: http://creativecommons.org/licenses/by/4.0/"


def medium(number: int, base: str, record: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    data = {
        "dcterms:type": "StillImage",
        "ac:bestQualityAccessURI": f"{base}/images/{number}.jpg",
        "xmpRights:WebStatement": LICENCE,
        "xmpRights:Owner": "G. S. Torrey Herbarium",
        "dcterms:rights": "© University",
        **changes,
    }
    index = {"records": [record], "mediatype": "images", "rights": "BY-NC-SA", "uuid": f"m{number}"}
    return {"uuid": f"m{number}", "type": "mediarecords", "data": data, "indexTerms": index}


def specimen(uuid: str, name: str = "Mitragyna speciosa", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    data = {
        "dwc:scientificName": name,
        "dwc:scientificNameAuthorship": "Korth.",
        "dwc:basisOfRecord": "PreservedSpecimen",
        "dwc:institutionCode": "CONN",
        "dwc:catalogNumber": uuid.upper(),
        "dwc:eventDate": "1989-06",
        "dwc:family": "Rubiaceae",
        **changes,
    }
    genus, _, epithet = name.lower().partition(" ")
    index = {"genus": genus, "specificepithet": epithet, "datecollected": "1989-06-01", "recordset": "set-1"}
    return {"uuid": uuid, "type": "records", "data": data, "indexTerms": index}


class Idigbio:
    """Answers searches for media and records."""

    def __init__(self) -> None:
        self.media: list[dict[str, Any]] = []
        self.records: list[dict[str, Any]] = []
        self.images: dict[str, Reply] = {}
        self.questions: list[dict[str, Any]] = []

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/v2/search/media":
            self.questions.append(asked.json)
            question: Any = asked.json
            wanted = question["rq"].get("specificepithet")
            of_name = {one["uuid"] for one in self.records if one["indexTerms"]["specificepithet"] == wanted}
            found = [one for one in self.media if of_name & {*one["indexTerms"]["records"]} or wanted is None]
            found.sort(key=lambda one: str(one["uuid"]))
            page = found[question["offset"] : question["offset"] + question["limit"]]
            return as_json({"itemCount": len(found), "items": page, "attribution": []})
        if asked.path == "/v2/search/records":
            uuids = asked.json["rq"]["uuid"]  # type: ignore[index]
            items = [one for one in self.records if one["uuid"] in uuids]
            return as_json(
                {"itemCount": len(items), "items": items, "attribution": [{"uuid": "set-1", "name": "CONN herbarium"}]}
            )
        if asked.path in self.images:
            return self.images[asked.path]
        if asked.path.startswith("/images/"):
            return Reply(sheet(int(asked.path[8:-4])), kind="image/jpeg")
        return Reply(DRAWING, kind="image/svg+xml")


SOURCES = {"sources": [{"kind": "idigbio"}]}


def test_media_and_records_are_joined(tmp_path: Path) -> None:
    service = Idigbio()
    with WebServer(service) as server:
        service.records = [specimen("r1"), specimen("r2")]
        service.media = [medium(1, server.url, "r1"), medium(2, server.url, "r2"), medium(3, server.url, "r2")]
        collected = collect(job_of(server.url, tmp_path, **SOURCES))
    catalog = read_catalog(collected.catalog_path)
    assert list(catalog["catalogNumber"]) == ["R1", "R2"]
    first = catalog.iloc[0]
    assert (first["license"], first["rightsHolder"]) == ("CC-BY-4.0", "G. S. Torrey Herbarium")
    assert first["eventDate"] == "1989-06"  # iDigBio's own date has an invented day
    assert first["verbatimIdentification"] == "Mitragyna speciosa Korth."
    assert first["references"] == "https://portal.idigbio.org/portal/records/r1"
    question = service.questions[0]
    assert question["rq"] == {"genus": "mitragyna", "specificepithet": "speciosa", "basisofrecord": "preservedspecimen"}
    assert question["sort"] == ["uuid"]


def test_all_pages_and_synonyms_are_queried_each_record_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leafid.sources.providers.idigbio.PAGE_SIZE", 4)
    service = Idigbio()
    with WebServer(service) as server:
        service.records = [specimen(f"r{number:02d}") for number in range(10)] + [specimen("s1", "Nauclea korthalsii")]
        service.media = [medium(number, server.url, f"r{number:02d}") for number in range(10)]
        service.media.append(medium(11, server.url, "s1"))
        taxa = {"target": {"name": "Mitragyna speciosa", "synonyms": ["Nauclea korthalsii"]}}
        plan = dry_run(job_of(server.url, tmp_path, taxa=taxa, **SOURCES))
    assert (plan.images, plan.by_taxon) == (11, {"Mitragyna speciosa": 11})
    assert [question["offset"] for question in service.questions] == [0, 4, 8, 0]


def test_the_copy_of_idigbio_replaces_a_dead_host(tmp_path: Path) -> None:
    service = Idigbio()
    with WebServer(service) as server:
        service.records = [specimen("r1"), specimen("r2")]
        service.media = [medium(1, server.url, "r1"), medium(2, server.url, "r2")]
        service.images = {"/images/1.jpg": Reply(b"", 404), "/images/2.jpg": Reply(b"", 404)}
        service.images["/v2/media/m1"] = Reply(sheet(77), kind="image/jpeg")
        collected = collect(job_of(server.url, tmp_path, **SOURCES))
        paths = Counter(server.paths())
    # The second has no copy either: iDigBio then sends a drawing with status 200.
    assert (collected.rows, collected.by_reason) == (1, {"http_404": 1})
    assert paths["/v2/media/m1"] == 1


def test_a_listed_record_that_is_not_returned_is_a_failure(tmp_path: Path) -> None:
    service = Idigbio()
    with WebServer(service) as server:
        service.records = [specimen("r1")]
        service.media = [medium(1, server.url, "r1"), medium(2, server.url, "r1")]
        service.media[1]["indexTerms"]["records"] = ["r1", "gone"]
        collected = collect(job_of(server.url, tmp_path, **SOURCES))
    assert (collected.rows, collected.by_reason) == (1, {"no_record": 1})


def test_a_refused_query_is_shown(tmp_path: Path) -> None:
    with WebServer(lambda asked: as_json({"error": "Bad rq"}, 400)) as server:
        with pytest.raises(SourceError, match=r"iDigBio's search failed.*Bad rq"):
            collect(job_of(server.url, tmp_path, **SOURCES))


def test_doubtful_determinations_are_left_out_and_said(tmp_path: Path) -> None:
    service = Idigbio()
    with WebServer(service) as server:
        doubtful = {"dwc:identificationQualifier": "cf."}
        service.records = [specimen("r1"), specimen("r2", **doubtful), specimen("r3")]
        service.records[2]["data"]["dwc:scientificName"] = "Mitragyna speciosa × hirsuta"
        service.media = [medium(number, server.url, f"r{number}") for number in (1, 2, 3)]
        collected = collect(job_of(server.url, tmp_path, **SOURCES))
    assert list(read_catalog(collected.catalog_path)["catalogNumber"]) == ["R1"]
    notes = "\n".join(collected.notes)
    assert "1 media: its name is uncertain" in notes
    assert "1 media: its name is a hybrid formula" in notes
