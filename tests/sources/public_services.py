"""Imitations of GBIF and a few herbaria: hand-made replies in the format of the real ones."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leafid.jobs import Job
from tests.sources.web_server import Asked, Reply, as_json, etag_of, sheet

BACKBONE = "d7dddbf4-2cf0-4f39-9b2a-bb099caae36c"
CC_BY = "http://creativecommons.org/licenses/by/4.0/"
CC0 = "http://creativecommons.org/publicdomain/zero/1.0/legalcode"
KEYS = {
    "Mitragyna speciosa": "7461054",
    "Mitragyna hirsuta": "5338001",
    "Mitragyna diversifolia": "5338002",
    "Uncaria": "2906635",
}


def match(name: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    """A reply of /v2/species/match to a known name."""
    rank = "SPECIES" if " " in name else "GENUS"
    usage = {"key": KEYS.get(name, "999"), "name": f"{name} Auth.", "canonicalName": name, "rank": rank}
    ladder = [
        {"key": "6", "name": "Plantae", "rank": "KINGDOM"},
        {"key": "8798", "name": "Rubiaceae", "rank": "FAMILY"},
    ]
    good = {
        "usage": {**usage, "status": "ACCEPTED"},
        "classification": ladder,
        "diagnostics": {"matchType": "EXACT", "confidence": 99},
        "synonym": False,
    }
    return {**good, **changes}


def record(key: int, base: str, name: str = "Mitragyna speciosa", **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """A record of /v1/occurrence/search with one image."""
    genus = name.split()[0]
    known = KEYS.get(name, KEYS.get(genus, "1"))
    medium = {
        "type": "StillImage",
        "format": "image/jpeg",
        "identifier": f"{base}/images/{key}.jpg",
        "license": CC_BY,
        "rightsHolder": "Herbarium of Somewhere",
    }
    good = {
        "key": key,
        "datasetKey": f"dataset-{key % 3}",
        "basisOfRecord": "PRESERVED_SPECIMEN",
        "taxonKey": int(known),
        "acceptedTaxonKey": int(known),
        "speciesKey": int(known),
        "scientificName": f"{name} Auth.",
        "acceptedScientificName": f"{name} Auth.",
        "species": name,
        "genus": genus,
        "family": "Rubiaceae",
        "taxonRank": "SPECIES",
        "institutionCode": ("L", "E", "K")[key % 3],
        "catalogNumber": f"BAR{key:06d}",
        "recordedBy": "C.E. Ridsdale",
        "recordNumber": str(key),
        "eventDate": "1974-05-02",
        "decimalLatitude": 5.25,
        "locality": "Secret grove behind the temple",
        "license": CC0,
        "media": [medium],
    }
    return {**good, **changes}


@dataclass
class Services:
    """Answers as GBIF and as the hosts of images; ``fault`` may replace any reply."""

    base: str = ""
    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    matches: dict[str, dict[str, Any]] = field(default_factory=dict)
    images: dict[str, bytes] = field(default_factory=dict)
    fault: Callable[[Asked], Reply | None] = lambda asked: None

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        faulty = self.fault(asked)
        if faulty is not None:
            return faulty
        if asked.path == "/v2/species/match":
            name = asked.query.get("scientificName", "")
            unknown = {"diagnostics": {"matchType": "NONE", "note": "No match"}, "synonym": False}
            return as_json(self.matches.get(name) or (match(name) if name in KEYS else unknown))
        if asked.path == "/v1/occurrence/search":
            return as_json(self._page(asked.query))
        if asked.path.startswith("/images/"):
            return self._image(asked.path)
        return as_json({"status": 404, "message": "Entity not found"}, 404)

    def _page(self, query: Mapping[str, str]) -> dict[str, Any]:
        found = self.records.get(query["taxonKey"], [])
        offset, limit = int(query["offset"]), min(300, int(query["limit"]))
        results = found[offset : offset + limit]
        end = offset + len(results) >= len(found)
        return {"offset": offset, "limit": limit, "endOfRecords": end, "count": len(found), "results": results}

    def _image(self, path: str) -> Reply:
        name = path.removeprefix("/images/")
        body = self.images.get(name) or sheet(int("".join(filter(str.isdigit, name)) or 0))
        return Reply(body, kind="image/jpeg", headers={"ETag": etag_of(body)})


def job_of(base: str, data: Path, **changes: Any) -> Job:  # noqa: ANN401 -- parts of a job file
    """A job that queries these services."""
    fetching = {
        "contact": "flora@example.org",
        "licences": ["CC0-1.0", "CC-BY-4.0"],
        "allow_private_addresses": True,
        "spacing": 0,
        "first_pause": 0.01,
        "timeout": 2,
        "gbif_url": base,
        "idigbio_url": base,
        "idigbio_media_url": base,
    }
    content: dict[str, Any] = {
        "name": "test",
        "taxa": {"target": "Mitragyna speciosa"},
        "sources": [{"kind": "gbif_search"}],
        "output": {"data": data},
        **changes,
        "fetching": {**fetching, **changes.get("fetching", {})},
    }
    return Job.model_validate(content)
