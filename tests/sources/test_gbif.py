"""GBIF's search turns a list of taxa into a catalog and images on disk."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from leafid.catalog import image_paths, read_catalog
from leafid.errors import SourceError
from leafid.files import sha256_of
from leafid.sources import collect, dry_run
from leafid.sources.providers.gbif import MAX_OFFSET
from tests.sources.public_services import CC0, KEYS, Services, job_of, record
from tests.sources.web_server import Asked, Reply, WebServer, as_json, sheet


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


@pytest.fixture
def services() -> Services:
    return Services()


def test_taxa_become_a_catalog_and_files(tmp_path: Path, services: Services) -> None:
    with WebServer(services) as server:
        base = server.url
        services.records = {
            KEYS["Mitragyna speciosa"]: [record(1, base), record(2, base, scientificName="Nauclea korthalsii Steud.")],
            KEYS["Uncaria"]: [record(3, base, "Uncaria tomentosa")],
        }
        taxa = {
            "target": "Mitragyna speciosa",
            "look_alikes": [{"name": "Uncaria", "rank": "genus", "group": "other Rubiaceae"}],
        }
        collected = collect(job_of(base, tmp_path, taxa=taxa))
    catalog = read_catalog(collected.catalog_path)
    assert list(catalog["scientificName"]) == ["Mitragyna speciosa", "Mitragyna speciosa", "Uncaria tomentosa"]
    assert catalog["verbatimIdentification"][1] == "Nauclea korthalsii Steud."
    assert list(catalog["acceptedTaxonKey"]) == [KEYS["Mitragyna speciosa"]] * 2 + [KEYS["Uncaria"]]
    first = catalog.iloc[0]
    assert (first["institutionCode"], first["recordedBy"], first["eventDate"]) == ("E", "C.E. Ridsdale", "1974-05-02")
    assert (first["license"], first["licenseFrom"], first["basisOfRecord"], first["domain"]) == (
        "CC-BY-4.0",
        "medium",
        "PreservedSpecimen",
        "specimen",
    )
    for path, digest in zip(image_paths(catalog, collected.catalog_path), catalog["sha256"], strict=True):
        assert sha256_of(path) == digest
        assert path.name == f"{digest}.jpg"
        assert path.parent.name == digest[:2]
    query = next(asked.query for asked in server.asked if asked.path == "/v1/occurrence/search")
    assert query["mediaType"] == "StillImage"
    assert query["basisOfRecord"] == "PRESERVED_SPECIMEN"
    assert query["checklistKey"].startswith("d7dddbf4")


def test_a_second_call_fetches_nothing_twice(tmp_path: Path, services: Services) -> None:
    with WebServer(services) as server:
        services.records = {KEYS["Mitragyna speciosa"]: [record(number, server.url) for number in range(1, 6)]}
        first = collect(job_of(server.url, tmp_path))
        content = first.catalog_path.read_bytes()
        before = Counter(server.paths())
        second = collect(job_of(server.url, tmp_path))
        after = Counter(server.paths()) - before
    assert second.catalog_path.read_bytes() == content
    assert not [path for path in after if path.startswith("/images/")]
    assert "/v2/species/match" not in after  # the lock file answers


def test_pages_of_300_are_requested_until_the_end(tmp_path: Path, services: Services) -> None:
    with WebServer(services) as server:
        services.records = {KEYS["Mitragyna speciosa"]: [record(number, server.url) for number in range(1, 702)]}
        plan = dry_run(job_of(server.url, tmp_path))
        pages = [asked.query["offset"] for asked in server.asked if asked.path == "/v1/occurrence/search"]
    assert (plan.occurrences, plan.images, pages) == (701, 701, ["0", "300", "600"])


def test_beyond_the_search_limit_a_download_is_recommended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leafid.sources.providers.gbif.MAX_OFFSET", 1000)
    assert MAX_OFFSET == 100_000
    services = Services()

    def endless(asked: Asked) -> Reply | None:
        if asked.path != "/v1/occurrence/search":
            return None
        offset = int(asked.query["offset"])
        if offset + 300 > 1000:
            return Reply(b"Max offset exceeded", 400, "text/plain")
        results = [record(offset + 1, server.url, media=[])] * 300
        return as_json({"offset": offset, "limit": 300, "endOfRecords": False, "count": 123456, "results": results})

    services.fault = endless
    with WebServer(services) as server:
        plan = dry_run(job_of(server.url, tmp_path))
    assert plan.occurrences == 900
    assert "123456 records" in plan.notes[0]
    assert "gbif_download" in plan.notes[0]


def test_a_refused_query_is_shown_with_gbif_s_message(tmp_path: Path, services: Services) -> None:
    def refuse(asked: Asked) -> Reply | None:
        refused = Reply(b"Invalid value for parameter taxonKey", 400, "text/plain")
        return refused if asked.path == "/v1/occurrence/search" else None

    services.fault = refuse
    with WebServer(services) as server, pytest.raises(SourceError, match="Invalid value for parameter taxonKey"):
        collect(job_of(server.url, tmp_path))


def test_licences_filter_and_every_excluded_medium_is_listed(tmp_path: Path, services: Services) -> None:
    def with_licence(key: int, base: str, licence: str | None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        made = record(key, base, **more)
        made["media"][0]["license"] = licence
        return made

    with WebServer(services) as server:
        base = server.url
        services.records = {
            KEYS["Mitragyna speciosa"]: [
                with_licence(1, base, "http://creativecommons.org/licenses/by-nc/4.0/"),
                with_licence(2, base, None),
                with_licence(3, base, None, license=None),
                with_licence(4, base, "ask the curator"),
                with_licence(5, base, "CC BY 4.0"),
            ]
        }
        collected = collect(job_of(base, tmp_path))
        allowed = collect(job_of(base, tmp_path, fetching={"licences": ["CC0-1.0", "missing", "unknown"]}))
    catalog = read_catalog(allowed.catalog_path)
    assert collected.rows == 2
    assert list(zip(catalog["license"], catalog["licenseFrom"], strict=True)) == [
        ("CC0-1.0", "record"),
        ("missing", "medium"),
        ("unknown", "medium"),
    ]
    assert catalog["licenseStatement"][0] == CC0
    media = {row["accessURI"].rsplit("/", 1)[-1]: row for row in rows_of(tmp_path / "media.csv")}
    assert len(media) == 5
    assert media["1.jpg"]["why"] == "licence CC-BY-NC-4.0 (of the medium) is not among fetching.licences"
    assert media["4.jpg"]["decision"] == "taken"


def test_images_that_cannot_be_fetched_are_failures(tmp_path: Path, services: Services) -> None:
    cut = sheet(7)[:-300]
    bodies = {
        "1.jpg": Reply(b"", 404),
        "2.jpg": Reply(b"<html>Please log in</html>", kind="text/html"),
        "3.jpg": Reply(b'<svg xmlns="http://www.w3.org/2000/svg"/>', kind="image/svg+xml"),
        "4.jpg": Reply(cut, kind="image/jpeg"),
        "5.jpg": Reply(b"", kind="image/jpeg"),
        "6.jpg": Reply(b"\xff\xd8\xff" + b"x" * 200_000, kind="image/jpeg"),
    }
    services.fault = lambda asked: bodies.get(asked.path.removeprefix("/images/"))
    with WebServer(services) as server:
        services.records = {KEYS["Mitragyna speciosa"]: [record(number, server.url) for number in range(1, 8)]}
        job = job_of(server.url, tmp_path, fetching={"max_bytes": 100_000, "attempts": 2})
        collected = collect(job)
        asked = Counter(server.paths())
        again = collect(job)
        more = Counter(server.paths()) - asked
    failures = {row["path"].rsplit("/", 1)[-1]: row for row in rows_of(collected.failures_path)}
    assert {name: row["reason"] for name, row in failures.items()} == {
        "1.jpg": "http_404",
        "2.jpg": "not_an_image",
        "3.jpg": "not_an_image",
        "4.jpg": "truncated",
        "5.jpg": "empty",
        "6.jpg": "too_large",
    }
    assert "an SVG drawing (as image/svg+xml)" in failures["3.jpg"]["detail"]
    assert (collected.rows, collected.failures, again.failures) == (1, 6, 6)
    # Only transient failures are tried again.
    assert {path for path in more if path.startswith("/images/")} == {"/images/2.jpg", "/images/4.jpg"}


def test_a_limit_takes_the_herbaria_in_turn(tmp_path: Path, services: Services) -> None:
    with WebServer(services) as server:
        many = [record(number, server.url, institutionCode="L") for number in range(1, 51)]
        few = [record(100 + number, server.url, institutionCode="US") for number in range(3)]
        services.records = {KEYS["Mitragyna speciosa"]: [*many, *few]}
        collected = collect(job_of(server.url, tmp_path, fetching={"limit_per_taxon": 6}))
        fetched = [path for path in server.paths() if path.startswith("/images/")]
    catalog = read_catalog(collected.catalog_path)
    assert Counter(catalog["institutionCode"]) == {"L": 3, "US": 3}
    assert len(fetched) == 6
    over = [row for row in rows_of(tmp_path / "media.csv") if "over the limit" in row["why"]]
    assert len(over) == 47


def test_a_dry_run_counts_and_estimates_but_fetches_nothing(tmp_path: Path, services: Services) -> None:
    with WebServer(services) as server:
        services.records = {KEYS["Mitragyna speciosa"]: [record(number, server.url) for number in range(1, 11)]}
        plan = dry_run(job_of(server.url, tmp_path))
        assert not [one for one in server.asked if one.path.startswith("/images/") and one.method != "HEAD"]
    assert (plan.images, plan.by_taxon, plan.by_licence) == (10, {"Mitragyna speciosa": 10}, {"CC-BY-4.0": 10})
    assert plan.size.sampled_files == 3
    assert plan.size.bytes == pytest.approx(10 * len(sheet(1)), rel=0.1)
    assert not list((tmp_path / "images").glob("*/*.jpg"))
    assert not (tmp_path / "catalog.csv").exists()


def test_one_photo_under_two_names_stays_two_rows(tmp_path: Path, services: Services) -> None:
    with WebServer(services) as server:
        one, same, other = record(1, server.url), record(2, server.url), record(3, server.url, "Uncaria tomentosa")
        same["media"] = other["media"] = one["media"]
        services.records = {KEYS["Mitragyna speciosa"]: [one, same], KEYS["Uncaria"]: [other]}
        taxa = {"target": "Mitragyna speciosa", "look_alikes": [{"name": "Uncaria", "rank": "genus"}]}
        collected = collect(job_of(server.url, tmp_path, taxa=taxa))
        assert server.paths().count("/images/1.jpg") == 1
    assert list(read_catalog(collected.catalog_path)["scientificName"]) == ["Mitragyna speciosa", "Uncaria tomentosa"]


def test_without_a_contact_nothing_is_requested(tmp_path: Path, services: Services) -> None:
    with WebServer(services) as server:
        with pytest.raises(SourceError, match=r"fetching\.contact is missing"):
            collect(job_of(server.url, tmp_path, fetching={"contact": None}))
        assert server.asked == []


def test_field_photos_are_marked(tmp_path: Path, services: Services) -> None:
    with WebServer(services) as server:
        photo = record(1, server.url, basisOfRecord="HUMAN_OBSERVATION")
        services.records = {KEYS["Mitragyna speciosa"]: [photo]}
        collected = collect(job_of(server.url, tmp_path, sources=[{"kind": "gbif_search", "domain": "field"}]))
        query = next(asked.query for asked in server.asked if asked.path == "/v1/occurrence/search")
    assert query["basisOfRecord"] == "HUMAN_OBSERVATION"
    assert list(read_catalog(collected.catalog_path)["domain"]) == ["field"]


def test_an_uncertain_determination_is_left_out_and_said(tmp_path: Path, services: Services) -> None:
    with WebServer(services) as server:
        qualifiers = ("cf.", "AFF.", "?", None)
        records = [
            record(number, server.url, identificationQualifier=text) for number, text in enumerate(qualifiers, start=1)
        ]
        services.records = {KEYS["Mitragyna speciosa"]: records}
        done = collect(job_of(server.url, tmp_path))
    assert list(read_catalog(done.catalog_path)["gbifID"]) == ["4"]
    assert "3 media: its name is uncertain" in "\n".join(done.notes)
