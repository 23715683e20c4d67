"""A bundle of two numbers, written without torch, and zip files of it."""

import json
import struct
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from leafid.bundle import BundleInfo, Decision, NetworkSpec, Provenance
from leafid.files import sha256_of
from leafid.jobs import Preprocessing
from leafid.taxonomy import Taxonomy


def write_small_bundle(folder: Path) -> Path:
    """Write a bundle with two taxa and an engine; return its folder."""
    (folder / "engines" / "onnx").mkdir(parents=True)
    save_file({"weight": np.arange(2, dtype=np.float32)}, folder / "model.safetensors")
    (folder / "engines" / "onnx" / "engine.json").write_text("{}")
    (folder / "MODEL_CARD.md").write_text("# Card\n")
    (folder / "notes of the trainer.txt").write_text("not part of the bundle")
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
            images={"train": 1200, "val": 30},
            gatherings={"train": 400},
            best_epoch=3,
            val_macro_f1=0.5,
        ),
        weights_sha256=sha256_of(folder / "model.safetensors"),
    )
    (folder / "bundle.json").write_text(info.model_dump_json())
    return folder


def zip_of(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write a zip file with these members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return path


def members_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a bundle by name."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".txt")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def with_other_info(folder: Path, **changes: object) -> dict[str, bytes]:
    """Return the files of a bundle, some values of whose description are changed."""
    members = members_of(folder)
    members["bundle.json"] = json.dumps(json.loads(members["bundle.json"]) | changes).encode()
    return members


def with_stated_size(path: Path, name: str, size: int) -> Path:
    """Change the size that the directory of a zip file states for a member."""
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\1\2")
    while content[entry + 46 : entry + 46 + len(name)] != name.encode():
        entry = content.index(b"PK\1\2", entry + 4)
    struct.pack_into("<L", content, entry + 24, size)
    path.write_bytes(content)
    return path
