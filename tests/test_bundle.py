"""A bundle comes back whole, or is refused with a reason: damaged, foreign, newer."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from leafid.bundle import (
    Bundle,
    BundleInfo,
    Calibration,
    Decision,
    NetworkSpec,
    Provenance,
    read_bundle,
    write_bundle,
    write_calibration,
)
from leafid.errors import BundleError
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


def test_what_is_written_is_read(bundle: Bundle) -> None:
    read = read_bundle(bundle.folder)
    assert read == bundle
    assert torch.equal(read.tensors()["weight"], torch.arange(6.0).view(2, 3))
    assert re.fullmatch(f"small@{read.info.weights_sha256[:12]}-[0-9a-f]{{6}}", read.info.identifier)


def test_what_is_learnt_about_a_bundle_comes_back_and_shows_in_its_name(bundle: Bundle) -> None:
    features = np.eye(3, dtype=np.float16)
    info = bundle.info.model_copy(update={"calibration": Calibration(temperature=2.0)})
    fitted = write_calibration(bundle, info, "# New\n", {"features": features}, "image_id\na\nb\nc\n")
    read = read_bundle(bundle.folder)
    assert read == fitted and read.info.references is not None and read.info.references.images == 3
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


def test_a_run_folder_stands_for_its_bundle(bundle: Bundle) -> None:
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


@pytest.mark.parametrize(
    ("content", "expected"),
    [("{", "damaged"), ("[]", "no bundle of leafid"), ('{"schema_version": 1, "name": 3}', "damaged or foreign")],
)
def test_foreign_descriptions_are_refused(bundle: Bundle, content: str, expected: str) -> None:
    (bundle.folder / "bundle.json").write_text(content)
    with pytest.raises(BundleError, match=expected):
        read_bundle(bundle.folder)


def test_what_is_no_bundle_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="There is no bundle"):
        read_bundle(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"it has no bundle\.json"):
        read_bundle(tmp_path)


def test_writing_again_replaces_the_bundle(bundle: Bundle) -> None:
    again = write_bundle(bundle.folder, bundle.info, {"weight": torch.zeros(1)}, "# Card\n")
    assert read_bundle(bundle.folder) == again != bundle
