"""Mutated tables, jobs, archives, descriptions and weights are read, or refused in a sentence."""

import random
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from leafid.bundle import BundleInfo, read_bundle
from leafid.catalog import read_catalog
from leafid.errors import BundleError, CatalogError, JobError, LeafidError, OutputError, SourceError
from leafid.identify import read_records
from leafid.identify.inputs.input_lists import read_input_list
from leafid.jobs import TableSource, TaxaSettings, load_job
from leafid.sources.collect import find_local
from leafid.sources.providers.darwin_core_archive import DarwinCoreArchive
from leafid.sources.providers.publisher_archive import read_occurrences
from leafid.sources.providers.taxon_matching import TaxonMatcher
from leafid.trust import ReferenceSpecimens
from tests.faults import texts
from tests.faults.figures import LONG, SEED, figures_of, rounds
from tests.faults.mutations import mutated
from tests.sources.test_archive import archive

EXAMPLES = rounds(40, 1500)
MOST_SECONDS = 10.0
pytestmark = pytest.mark.timeout(3600 if LONG else 300)

JOB = """
name: steps
recipe: none
seed: 3
taxa: {target: Mitragyna speciosa, look_alikes: [Mitragyna hirsuta, {name: Coffea canephora}]}
sources:
  - kind: table
    path: sheets.csv
    columns: {scientificName: name}
  - {kind: folder, path: photos}
curation: {split: {val: 0.2, test: 0.2}}
sheets: {size: 32, views: {image: 1, leaves: 2}}
model: {backbone: shufflenet_v2_x1_0, weights: none, dropout: 0.2}
training: {max_epochs: 2, batch_size: 8, learning_rate: 1e-3}
"""


def _parse_many(part: str, one: Callable[[random.Random], None], refusal: type[LeafidError]) -> None:
    """Let ``one`` parse many inputs; only refusals in a sentence may come out."""
    figures = figures_of(part)

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=False, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.randoms(use_true_random=False))
    def parse(chance: random.Random) -> None:
        with figures.parsing():
            try:
                one(chance)
            except refusal as error:
                assert type(error) is refusal and " " in str(error) and "Traceback" not in str(error), repr(error)

    with figures.watching_memory():
        parse()
    figures.check()
    assert figures.longest_s < MOST_SECONDS and figures.peak_mb < 300, figures


def test_tables_of_images(tmp_path: Path) -> None:
    columns = ("path", "name", "scientificName", "gathering_id", "split", "decimalLatitude", "year")
    file = tmp_path / "sheets.csv"
    source = TableSource.model_validate({"kind": "table", "path": str(file), "columns": {"scientificName": "name"}})

    def one(chance: random.Random) -> None:
        file.write_bytes(texts.table(chance, columns))
        found = find_local(source)
        for failure in found.failures:
            assert failure.detail and str(failure.reason)

    _parse_many("tables", one, SourceError)


def test_lists_of_inputs(tmp_path: Path) -> None:
    def one(chance: random.Random) -> None:
        file = tmp_path / chance.choice(("list.csv", "list.tsv", "list.txt", "list.parquet"))
        file.write_bytes(texts.table(chance, ("path", "name")))
        mistakes: list[str] = []
        read_input_list(file, mistakes)
        assert all(mistake.startswith(str(file)) for mistake in mistakes), mistakes

    _parse_many("lists", one, LeafidError)


def test_catalogs(tmp_path: Path) -> None:
    columns = ("image_id", "path", "scientificName", "width", "height", "gathering_id", "split", "sha256", "eventDate")

    def one(chance: random.Random) -> None:
        file = tmp_path / chance.choice(("catalog.csv", "catalog.csv", "catalog.parquet"))
        file.write_bytes(texts.table(chance, columns))
        read_catalog(file)

    _parse_many("catalogs", one, CatalogError)


def test_jobs(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(JOB, encoding="utf-8")
    (tmp_path / "taxa.yaml").write_text("target: Viola\n", encoding="utf-8")
    content = load_job(file).model_dump(mode="json")

    def one(chance: random.Random) -> None:
        if chance.random() < 0.5:
            file.write_bytes(texts.yaml_text(JOB, chance))
        else:
            file.write_text(str(texts.changed_values(content, chance)), encoding="utf-8", errors="replace")
        overrides = [f"training.max_epochs={chance.choice(texts.CELLS)}"] if chance.random() < 0.2 else []
        load_job(file, overrides)

    _parse_many("jobs", one, JobError)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BundleInfo]:
    """Return the folder of a bundle with references, and its description."""
    from datetime import UTC, datetime

    from safetensors.numpy import save_file

    from leafid.bundle import Decision, NetworkSpec, Provenance
    from leafid.bundle.schema import References
    from leafid.jobs import Preprocessing
    from leafid.taxonomy import Taxonomy

    folder = tmp_path_factory.mktemp("bundle")
    save_file({"head.1.weight": np.zeros((2, 4), np.float32)}, folder / "model.safetensors")
    random_ = np.random.default_rng(0)
    features, labels = random_.normal(size=(6, 4)).astype(np.float32), np.arange(6, dtype=np.int64) % 2
    save_file({"features": features, "labels": labels}, folder / "references.safetensors")
    rows = "".join(f"{number},Viola alba,g{number},,,,,\n" for number in range(6))
    header = "image_id,scientificName,gathering_id,catalogNumber,institutionCode,license,rightsHolder,references\n"
    (folder / "references.csv").write_text(header + rows)
    provenance: dict[str, Any] = {"job": {}, "created": datetime(2026, 1, 1, tzinfo=UTC), "seed": 0, "versions": {}}
    provenance |= {"catalog_sha256": "0" * 64, "git_commit": None, "images": {}, "gatherings": {}, "best_epoch": 0}
    info = BundleInfo(
        name="leaves",
        taxonomy=Taxonomy.from_names(["Viola alba", "Viola biflora"], target="Viola alba"),
        preprocessing=Preprocessing(size=32),
        network=NetworkSpec(
            backbone="mobilenet_v3_small", dropout=0.0, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
        ),
        decision=Decision(min_probability=0.8),
        provenance=Provenance(**provenance, val_macro_f1=None),
        references=References(images=6, sha256=_sha256(folder / "references.safetensors")),
        weights_sha256=_sha256(folder / "model.safetensors"),
    )
    (folder / "bundle.json").write_text(info.model_dump_json())
    return folder, info


def _sha256(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def test_descriptions_of_bundles(bundle: tuple[Path, BundleInfo]) -> None:
    import json

    folder, info = bundle
    content = json.loads(info.model_dump_json())

    def one(chance: random.Random) -> None:
        changed = json.dumps(texts.changed_values(content, chance)).encode()
        if chance.random() < 0.2:
            changed = mutated(changed, b'{}[]"\\u,:', chance)
        (folder / "bundle.json").write_bytes(changed)
        read_bundle(folder).info.model_dump_json()

    try:
        _parse_many("bundle.json", one, BundleError)
    finally:
        (folder / "bundle.json").write_text(info.model_dump_json())


def test_weights_and_references(bundle: tuple[Path, BundleInfo]) -> None:
    folder, info = bundle
    features = ("F32", [6, 4], np.ones((6, 4), np.float32).tobytes())
    labels = ("I64", [6], np.zeros(6, np.int64).tobytes())
    table = (folder / "references.csv").read_bytes()

    def one(chance: random.Random) -> None:
        weights = {"head.1.weight": ("F32", [2, 4], bytes(32))}
        (folder / "model.safetensors").write_bytes(texts.safetensors_file(weights, chance))
        references = texts.safetensors_file({"features": features, "labels": labels}, chance)
        (folder / "references.safetensors").write_bytes(references)
        content = mutated(table, b'",\n\0\xff', chance) if chance.random() < 0.3 else table
        (folder / "references.csv").write_bytes(content)
        assert info.references is not None
        described = info.references.model_copy(update={"sha256": _sha256(folder / "references.safetensors")})
        told = info.model_copy(
            update={"weights_sha256": _sha256(folder / "model.safetensors"), "references": described}
        )
        (folder / "bundle.json").write_text(told.model_dump_json())
        read = read_bundle(folder)
        try:
            read.arrays("head.1.weight")
        except BundleError as error:
            assert " " in str(error)
        specimens = ReferenceSpecimens.of_bundle(read)
        specimens.nearest(np.ones(4, np.float32), [0, 1])

    _parse_many("safetensors", one, BundleError)


@pytest.mark.parametrize("part", ["zip", "meta.xml", "occurrence.txt", "multimedia.txt"])
def test_archives(tmp_path: Path, part: str) -> None:
    content = archive(tmp_path / "whole.zip").read_bytes()
    matcher = TaxonMatcher(TaxaSettings.model_validate({"target": "Mitragyna speciosa"}))
    file = tmp_path / "a.zip"

    def one(chance: random.Random) -> None:
        changed = mutated(content, content[::-1], chance) if part == "zip" else texts.rezipped(content, chance, part)
        file.write_bytes(changed)
        taken = matcher if chance.random() < 0.5 else TaxonMatcher(None)
        with DarwinCoreArchive(file) as opened:
            list(read_occurrences(opened, taken, "specimen", tmp_path / "scratch", "archive", None))

    _parse_many(f"archives: {part}", one, SourceError)


def test_results_to_be_continued(tmp_path: Path) -> None:
    from leafid.identify.outputs.line_formats import JSONL, csv_format
    from leafid.identify.records import Record, Status

    record = Record(
        path="leaf.jpg",
        status=Status.FAILED,
        reason="empty: no bytes",
        bundle="b",
        leafid_version="1",
        given=(("catalogNumber", "L.1"),),
    )
    whole = {".csv": csv_format(("catalogNumber",), byte_order_mark=True), ".jsonl": JSONL}

    def one(chance: random.Random) -> None:
        ending = chance.choice((".csv", ".jsonl"))
        content = whole[ending].header + whole[ending].line(record) * 3
        file = tmp_path / f"results{ending}"
        file.write_bytes(mutated(content, b'",\n\0\xff{}', chance))
        list(read_records(file))

    _parse_many("results", one, OutputError)
