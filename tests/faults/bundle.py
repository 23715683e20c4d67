"""Writes a bundle with references and an ONNX engine, so that the harness identifies without importing torch.

python -m tests.faults.bundle FOLDER
"""

import csv
import io
import sys
from pathlib import Path

import numpy as np

from leafid.bundle import update_bundle
from leafid.identify import Identifier, export_engine
from leafid.trust.references import CITED_COLUMNS
from tests.identify.small_bundle import COLOURS, leaf, make_bundle

_REFERENCES = 4  # of each taxon


def main(folder: Path) -> None:
    """Write the bundle."""
    bundle = make_bundle(folder)
    photo = folder.with_name("parity.png")
    leaf(next(iter(COLOURS))).save(photo)
    export_engine(folder, "onnx", [photo])
    embeddings = Identifier.load(folder, device="cpu", engine="onnx").engine.predict
    from leafid.sheets import prepare_file

    features = embeddings([prepare_file(photo, bundle.info.preprocessing)]).embeddings
    labels = np.repeat(np.arange(len(COLOURS), dtype=np.int64), _REFERENCES)
    random = np.random.default_rng(0)
    drawn = features + random.normal(0, 1, (len(labels), features.shape[1])).astype(np.float32)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["image_id", "scientificName", "gathering_id", *CITED_COLUMNS])
    for number, label in enumerate(labels):
        writer.writerow([f"{number:016x}", list(COLOURS)[label], f"g{number}", *["x"] * len(CITED_COLUMNS)])
    update_bundle(bundle, bundle.info, "# A bundle\n", {"features": drawn, "labels": labels}, table.getvalue())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
