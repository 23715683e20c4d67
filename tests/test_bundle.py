"""A bundle is read as it was written, or refused with a reason: damaged, foreign, older, newer."""

import json
import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from leafid.bundle import (
    Bundle,
    BundleInfo,
    Calibration,
    Decision,
    NetworkSpec,
    Provenance,
    check_is_bundle,
    read_bundle,
    update_bundle,
    write_bundle,
)
from leafid.bundle.schema import References
from leafid.errors import BundleError, TaxonomyError, UsageError
from leafid.files import sha256_of
from leafid.jobs import Preprocessing
from leafid.taxonomy import Taxonomy


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    info = BundleInfo(
        name="small",
        taxonomy=Taxonomy.from_names(["Mitragyna speciosa", "Coffea canephora"], target="Mitragyna speciosa"),
        preprocessing=Preprocessing(size=64),
        network=NetworkSpec(backbone="mobilenet_v2", dropout=0.2, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2)),
        decision=Decision(min_probability=0.5),
        provenance=Provenance(
            job={"name": "small"},
            created=datetime(2026, 1, 2, tzinfo=UTC),
            seed=0,
            catalog_sha256="0" * 64,
            git_commit=None,
            versions={},
            images={},
            gatherings={},
            best_epoch=3,
            val_macro_f1=0.5,
        ),
        weights_sha256="",
    )
    return write_bundle(tmp_path / "run" / "bundle", info, {"weight": torch.arange(6.0).view(2, 3)}, "# Card\n")


def test_a_bundle_is_read_as_it_was_written(bundle: Bundle) -> None:
    read = read_bundle(bundle.folder)
    assert read == bundle
    assert torch.equal(read.tensors()["weight"], torch.arange(6.0).view(2, 3))
    assert re.fullmatch(f"small@{read.info.weights_sha256[:12]}-[0-9a-f]{{6}}", read.info.identifier)


def test_calibration_is_stored_and_changes_the_identifier(bundle: Bundle) -> None:
    features = np.eye(3, dtype=np.float16)
    info = bundle.info.model_copy(update={"calibration": Calibration(temperature=2.0)})
    references: dict[str, NDArray[np.generic]] = {"features": features, "labels": np.array([0, 1, 1])}
    updated = update_bundle(bundle, info, "# New\n", references, "image_id\na\nb\nc\n")
    read = read_bundle(bundle.folder)
    assert read == updated and read.info.references is not None and read.info.references.images == 3
    assert np.array_equal(read.references()["features"], features)
    name, other = read.info.identifier.split("-"), bundle.info.identifier.split("-")
    assert name[0] == other[0] and name[1] != other[1]
    (bundle.folder / "references.safetensors").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"references\.safetensors is missing or changed"):
        read.references()
    again = write_bundle(bundle.folder, bundle.info, {"weight": torch.zeros(1)}, "# Card\n")
    assert {file.name for file in again.folder.iterdir()} == {"bundle.json", "model.safetensors", "MODEL_CARD.md"}
    with pytest.raises(BundleError, match="holds no references"):
        again.references()


def test_a_run_folder_may_be_named_instead_of_its_bundle(bundle: Bundle) -> None:
    assert read_bundle(bundle.folder.parent) == bundle


def test_no_file_of_a_bundle_is_a_pickle(bundle: Bundle) -> None:
    assert {file.name for file in bundle.folder.iterdir()} == {"bundle.json", "model.safetensors", "MODEL_CARD.md"}


def test_damaged_weights_are_refused(bundle: Bundle) -> None:
    weights = bundle.folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BundleError, match="is damaged"):
        read_bundle(bundle.folder)
    weights.unlink()
    with pytest.raises(BundleError, match=r"model\.safetensors is missing"):
        read_bundle(bundle.folder)


def test_a_newer_bundle_says_which_version_wrote_it(bundle: Bundle) -> None:
    path = bundle.folder / "bundle.json"
    content = json.loads(path.read_text()) | {"schema_version": 99, "leafid_version": "7.0", "unheard_of": 1}
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError, match=r"written by leafid 7\.0 .* Update leafid"):
        read_bundle(bundle.folder)


def test_an_older_bundle_is_refused_with_the_new_names_and_the_way_out(bundle: Bundle) -> None:
    path = bundle.folder / "bundle.json"
    content = json.loads(path.read_text())
    content["decision"]["min_score"] = content["decision"].pop("min_probability")
    path.write_text(json.dumps(content | {"schema_version": 2, "leafid_version": "0.0.9", "unknowns": None}))
    with pytest.raises(BundleError) as refused:
        read_bundle(bundle.folder)
    message = str(refused.value)
    assert "written by an older leafid 0.0.9 (bundle schema 2)" in message and str(path) in message
    assert "min_score is now min_probability" in message and "unknowns is now ood_detector" in message
    assert "Train again with the same job, or use the leafid that wrote this bundle" in message
    path.write_text(json.dumps({"schema_version": 1}))
    with pytest.raises(BundleError, match=r"older leafid of an earlier version \(bundle schema 1\)"):
        read_bundle(bundle.folder)


@pytest.mark.parametrize(
    ("content", "expected"),
    [("{", "damaged"), ("[]", "not written by leafid"), ('{"schema_version": 4, "name": 3}', "damaged or foreign")],
)
def test_foreign_descriptions_are_refused(bundle: Bundle, content: str, expected: str) -> None:
    (bundle.folder / "bundle.json").write_text(content)
    with pytest.raises(BundleError, match=expected):
        read_bundle(bundle.folder)


def test_a_folder_that_is_not_a_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="There is no bundle"):
        read_bundle(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"it has no bundle\.json"):
        read_bundle(tmp_path)


def test_writing_again_replaces_the_bundle(bundle: Bundle) -> None:
    again = write_bundle(bundle.folder, bundle.info, {"weight": torch.zeros(1)}, "# Card\n")
    assert read_bundle(bundle.folder) == again != bundle


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda info: info["taxonomy"]["taxa"][0].update(scientific_name="\x1b[2JMitragyna"), "cannot be printed"),
        (lambda info: info["taxonomy"]["taxa"].append(info["taxonomy"]["taxa"][0]), "occur twice"),
        (lambda info: info["taxonomy"].update(taxa=[], target=None), "taxa is empty"),
        (lambda info: info["network"].update(std=[0.2, 0.0, 0.2]), "network.std.1"),
        (lambda info: info["decision"].update(min_probability=float("nan")), "decision.min_probability"),
        (lambda info: info["calibration"].update(temperature=float("inf")), "calibration.temperature"),
        (lambda info: info.update(prediction_sets=_sets(0.95, {"coverage": 0.9, "threshold": 1})), "not among the lev"),
        (
            lambda info: info.update(
                prediction_sets=_sets(0.9, {"coverage": 0.9, "threshold": 1, "taxon_thresholds": {"7": 1}})
            ),
            "outside 0 to 1",
        ),
        (lambda info: info.update(leafid_version="9\x1b]0;x\x07"), "leafid_version"),
        (lambda info: info.update(references={"images": 0, "sha256": ""}), "references.images"),
    ],
)
def test_a_bundle_of_a_stranger_is_refused_naming_the_field(
    bundle: Bundle, change: Callable[[dict[str, Any]], None], expected: str
) -> None:
    path = bundle.folder / "bundle.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError, match=expected):
        read_bundle(bundle.folder)


def _sets(coverage: float, level: dict[str, object]) -> dict[str, object]:
    fitted = {"split": "val", "images": 1, "gatherings": 1}
    return {"coverage": coverage, "levels": [level], "fitted_on": fitted}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"schema_version": ' + "9" * 5000 + "}", "\udcff", "{"])
def test_a_description_that_is_no_json_is_damage(bundle: Bundle, text: str) -> None:
    (bundle.folder / "bundle.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(BundleError, match="is damaged"):
        read_bundle(bundle.folder)


def test_a_checklist_of_20000_taxa_is_checked_in_a_moment() -> None:
    started = time.process_time()
    taxonomy = Taxonomy.from_names(f"Genus epithet{number}" for number in range(20_000))
    with pytest.raises(TaxonomyError, match="and 19980 more"):
        taxonomy.label("Other name")
    assert time.process_time() - started < 2


def test_colleagues_can_read_the_weights(bundle: Bundle) -> None:
    umask = os.umask(0o022)
    os.umask(umask)
    assert (bundle.folder / "model.safetensors").stat().st_mode & 0o777 == 0o666 & ~umask


def test_single_weights_are_read_without_torch(bundle: Bundle) -> None:
    assert np.array_equal(bundle.arrays("weight")["weight"], np.arange(6.0).reshape(2, 3))
    with pytest.raises(BundleError, match=r"model\.safetensors cannot be read.*bias.*Copy the bundle again"):
        bundle.arrays("weight", "bias")


def test_the_contact_and_absolute_paths_of_a_job_are_not_kept(bundle: Bundle) -> None:
    job = {
        "fetching": {"contact": "someone@example.org", "gbif_url": "https://api.gbif.org"},
        "sources": [{"kind": "folder", "path": "/home/someone/sheets"}, {"kind": "folder", "path": "data/sheets"}],
        "model": {"weights": "C:\\Users\\someone\\weights.pth", "backbone": "mobilenet_v2"},
        "output": {"runs": "~/runs", "data": None},
        "seed": 3,
    }
    values = bundle.info.provenance.model_dump() | {"job": job}
    info = bundle.info.model_copy(update={"provenance": Provenance.model_validate(values)})
    written = write_bundle(bundle.folder, info, {"weight": torch.zeros(1)}, "# Card\n")
    text = (written.folder / "bundle.json").read_text()
    assert "someone" not in text
    assert read_bundle(written.folder).info.provenance.job == {
        "fetching": {"gbif_url": "https://api.gbif.org"},
        "sources": [{"kind": "folder", "path": "sheets"}, {"kind": "folder", "path": "data/sheets"}],
        "model": {"weights": "weights.pth", "backbone": "mobilenet_v2"},
        "output": {"runs": "runs", "data": None},
        "seed": 3,
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(bundle: Bundle, value: float) -> None:
    broken = write_bundle(bundle.folder, bundle.info, {"weight": torch.tensor([0.0, value])}, "# Card\n")
    for read in (broken.tensors, lambda: broken.arrays("weight")):
        with pytest.raises(BundleError, match=r"no numbers \(NaN or infinity\) in weight"):
            read()


def test_a_bundle_in_the_place_of_another_argument_is_recognised(bundle: Bundle, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.touch()
    for swapped in (bundle.folder, bundle.folder.parent):
        with pytest.raises(UsageError, match=re.escape(f"Name the bundle first: {swapped} {photo}")):
            check_is_bundle(photo, others=["x" * 5000, "a\0b", str(swapped)])
        check_is_bundle(swapped, others=[photo])
    check_is_bundle(photo, others=[photo])
    with pytest.raises(BundleError, match=r"photo\.jpg is a file, and a bundle is a folder"):
        read_bundle(photo)


@pytest.mark.parametrize(
    ("features", "labels", "expected"),
    [
        (np.ones((2, 4), np.float32), None, "no features or no labels"),
        (np.ones((2, 4), np.int32), np.zeros(2, np.int64), "are no lists"),
        (np.ones((3, 4), np.float32), np.zeros(3, np.int64), "not those of 2 images"),
        (np.full((2, 4), np.nan, np.float32), np.zeros(2, np.int64), "not finite"),
        (np.ones((2, 4), np.float32), np.array([0, 99]), "not those of"),
    ],
)
def test_references_of_a_stranger_are_checked(
    bundle: Bundle, features: NDArray[np.generic], labels: NDArray[np.int64] | None, expected: str
) -> None:
    arrays = {"features": features} | ({} if labels is None else {"labels": labels})
    save_file(arrays, bundle.folder / "references.safetensors")
    described = References(images=2, sha256=sha256_of(bundle.folder / "references.safetensors"))
    info = bundle.info.model_copy(update={"references": described})
    with pytest.raises(BundleError, match=expected):
        Bundle(bundle.folder, info).references()
