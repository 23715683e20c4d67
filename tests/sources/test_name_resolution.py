"""Names of the job are resolved once; an unclear name stops with its candidates."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from leafid.errors import TaxonomyError
from leafid.jobs import TaxaSettings
from leafid.jobs.taxa import CATALOGUE_OF_LIFE
from leafid.sources.fetching.web_client import WebClient
from leafid.sources.providers.name_resolution import ResolvedTaxa, read_lock, resolve_taxa
from tests.sources.public_services import KEYS, Services, job_of, match
from tests.sources.web_server import Asked, Reply, WebServer, as_json


def resolve(services: Services, tmp_path: Path, taxa: dict[str, Any]) -> ResolvedTaxa:
    async def run(url: str) -> ResolvedTaxa:
        async with WebClient(job_of(url, tmp_path).fetching) as client:
            return await resolve_taxa(TaxaSettings.model_validate(taxa), client, tmp_path / "taxa.lock.yaml")

    with WebServer(services) as server:
        try:
            return asyncio.run(run(server.url))
        finally:
            asked.extend(server.asked)


asked: list[Asked] = []


@pytest.fixture(autouse=True)
def nothing_asked() -> None:
    asked.clear()


def usage(name: str, key: str, status: str = "ACCEPTED", rank: str = "SPECIES") -> dict[str, str]:
    return {"key": key, "name": f"{name} Auth.", "canonicalName": name, "rank": rank, "status": status}


def test_an_exact_match_is_locked_with_its_date(tmp_path: Path) -> None:
    taxa = {"target": "Mitragyna speciosa"}
    found = resolve(Services(), tmp_path, taxa)
    assert found.keys == {KEYS["Mitragyna speciosa"]: "Mitragyna speciosa"}
    assert asked[0].query["checklistKey"].startswith("d7dddbf4")
    lock = read_lock(tmp_path / "taxa.lock.yaml")["Mitragyna speciosa"]
    assert (lock.key, lock.family, lock.status) == ("7461054", "Rubiaceae", "accepted")
    assert len(lock.resolved) == 10
    asked.clear()
    assert resolve(Services(), tmp_path, taxa) == found
    assert asked == []


def test_another_checklist_is_queried_again(tmp_path: Path) -> None:
    resolve(Services(), tmp_path, {"target": "Mitragyna speciosa"})
    asked.clear()
    services = Services(
        matches={"Mitragyna speciosa": match("Mitragyna speciosa", usage=usage("Mitragyna speciosa", "6RX2V"))}
    )
    found = resolve(services, tmp_path, {"target": "Mitragyna speciosa", "checklist": CATALOGUE_OF_LIFE})
    assert list(found.keys) == ["6RX2V"]
    assert asked[0].query["checklistKey"] == CATALOGUE_OF_LIFE


def test_a_synonym_is_mapped_to_the_accepted_taxon(tmp_path: Path) -> None:
    synonym = match("Mitragyna stipulosa", synonym=True)
    synonym |= {"usage": usage("Mitragyna stipulosa", "1", "SYNONYM"), "acceptedUsage": usage("Hallea stipulosa", "2")}
    found = resolve(Services(matches={"Mitragyna stipulosa": synonym}), tmp_path, {"target": "Mitragyna stipulosa"})
    assert found.keys == {"2": "Mitragyna stipulosa"}
    assert "synonym of Hallea stipulosa" in found.notes[0]


def none(*alternatives: dict[str, str]) -> dict[str, Any]:
    others = [{"usage": one} for one in alternatives]
    return {
        "diagnostics": {"matchType": "NONE", "note": "too little confidence", "alternatives": others},
        "synonym": False,
    }


def of_kind(kind: str, found: dict[str, str]) -> dict[str, Any]:
    return {"usage": found, "diagnostics": {"matchType": kind}, "synonym": False}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (none(), "no match .too little confidence.. The checklist offers no candidates"),
        (none(usage("Mitragyna hirsuta", "5")), r"Candidates: Mitragyna hirsuta Auth\. \[species, accepted; key: 5\]"),
        (of_kind("FUZZY", usage("Mitragyna speciosa", "7")), r"only a similar name was found \(fuzzy\).*key: 7"),
        (of_kind("VARIANT", usage("Mitragyna speciosa", "7")), "only a similar name"),
        (
            of_kind("HIGHERRANK", usage("Mitragyna", "2900452", rank="GENUS")),
            "only a taxon of higher rank.*key: 2900452",
        ),
        (of_kind("EXACT", usage("Mitragyna", "2900452", rank="GENUS")), "has a different spelling"),
        (of_kind("EXACT", usage("Mitragyna specioza", "8", rank="GENUS")), "a genus in the checklist, a species in"),
        (none(usage("Mitragyna specioza", "8"), usage("Mitragyna specioza", "9")), "homonyms.*key: 8.*key: 9"),
    ],
    ids=["none", "candidates", "fuzzy", "variant", "higher rank", "other name", "other rank", "homonyms"],
)
def test_an_unclear_name_stops_with_its_candidates(tmp_path: Path, answer: dict[str, Any], message: str) -> None:
    taxa = {"target": "Mitragyna specioza", "look_alikes": ["Mitragyna hirsuta"]}
    with pytest.raises(TaxonomyError, match=message):
        resolve(Services(matches={"Mitragyna specioza": answer}), tmp_path, taxa)
    assert list(read_lock(tmp_path / "taxa.lock.yaml")) == ["Mitragyna hirsuta"]


def test_all_unclear_names_are_listed_at_once(tmp_path: Path) -> None:
    taxa = {"target": "Mitragyna unheard", "look_alikes": ["Mitragyna neverseen", "Mitragyna hirsuta"]}
    with pytest.raises(TaxonomyError, match=r"(?s)Mitragyna unheard: .*Mitragyna neverseen: .*write the right one's"):
        resolve(Services(), tmp_path, taxa)


def test_a_key_in_the_job_settles_a_homonym(tmp_path: Path) -> None:
    services = Services(fault=lambda one: as_json(of_kind("EXACT", usage("Nauclea speciosa", "12"))))
    found = resolve(services, tmp_path, {"target": {"name": "Nauclea speciosa", "key": "12"}})
    assert found.keys == {"12": "Nauclea speciosa"}
    assert asked[0].query["usageKey"] == "12"


def test_two_entries_of_one_taxon_are_a_mistake(tmp_path: Path) -> None:
    same = match("Mitragyna javanica", synonym=True)
    same |= {
        "usage": usage("Mitragyna javanica", "3", "SYNONYM"),
        "acceptedUsage": usage("Mitragyna diversifolia", "5338002"),
    }
    taxa = {"target": "Mitragyna diversifolia", "look_alikes": ["Mitragyna javanica"]}
    with pytest.raises(TaxonomyError, match="Mitragyna javanica: the same taxon as Mitragyna diversifolia"):
        resolve(Services(matches={"Mitragyna javanica": same}), tmp_path, taxa)


def test_synonyms_that_differ_in_the_checklist_are_noted(tmp_path: Path) -> None:
    elsewhere = match("Nauclea brunonis", usage=usage("Nauclea brunonis", "77"))
    taxa = {"target": {"name": "Mitragyna speciosa", "synonyms": ["Nauclea brunonis", "Nauclea invisa"]}}
    found = resolve(Services(matches={"Nauclea brunonis": elsewhere}), tmp_path, taxa)
    assert len(found.notes) == 2
    assert "places Nauclea brunonis under Nauclea brunonis, the job under Mitragyna speciosa" in found.notes[0]
    assert "Nauclea invisa of Mitragyna speciosa is not in the checklist" in found.notes[1]


def test_without_api_v2_api_v1_is_queried(tmp_path: Path) -> None:
    old = {
        "usageKey": 4277323,
        "acceptedUsageKey": 2689422,
        "scientificName": "Fleroya stipulosa (DC.) Y.F.Deng",
        "canonicalName": "Fleroya stipulosa",
        "species": "Mitragyna stipulosa",
        "rank": "SPECIES",
        "status": "SYNONYM",
        "matchType": "EXACT",
        "family": "Rubiaceae",
        "synonym": True,
    }
    services = Services(fault=lambda one: as_json(old) if one.path.startswith("/v1") else Reply(b"", 404))
    found = resolve(services, tmp_path, {"target": "Fleroya stipulosa"})
    resolved = found.by_entry["Fleroya stipulosa"]
    assert (resolved.key, resolved.accepted_name, resolved.family) == ("2689422", "Mitragyna stipulosa", "Rubiaceae")
    assert asked[-1].query["name"] == "Fleroya stipulosa"


@pytest.mark.parametrize("content", ["taxa: [1, 2]", "{", "taxa: {Mitragyna speciosa: {key: 1}}", "x: 1"])
def test_a_damaged_lock_file_is_reported(tmp_path: Path, content: str) -> None:
    (tmp_path / "taxa.lock.yaml").write_text(content)
    with pytest.raises(TaxonomyError, match=r"taxa\.lock\.yaml is damaged"):
        read_lock(tmp_path / "taxa.lock.yaml")
