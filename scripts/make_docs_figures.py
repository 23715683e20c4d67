"""Make the figures of the documentation: previews of four synthetic sheets, as the network sees them.

All sheets are synthetic, so that the figures can be published: one sheet of each of four taxa, from different herbaria.

    python scripts/make_docs_figures.py
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path

from leafid.demo import draw_herbarium
from leafid.jobs import Preprocessing, ViewCounts
from leafid.sheets import preview_image

TAXA = ("Mitragyna speciosa", "Mitragyna rotundifolia", "Neolamarckia cadamba", "Coffea canephora")
PREPROCESSING = Preprocessing(views=ViewCounts(image=1, plant=1, leaves=4, tiles=4))
WIDTH = 1800  # pixels
QUALITY = 82


def main() -> None:
    """Synthesize sheets, preview them and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        table = draw_herbarium(Path(folder), sheets=24, seed=4)
        with table.open(encoding="utf-8", newline="") as opened:
            rows = list(csv.DictReader(opened))
        used: set[str] = set()
        for taxon in TAXA:
            of_taxon = [row for row in rows if row["scientificName"] == taxon]
            row = next((row for row in of_taxon if row["institutionCode"] not in used), of_taxon[0])
            used.add(row["institutionCode"])
            picture = preview_image(table.parent / row["path"], PREPROCESSING)
            picture.thumbnail((WIDTH, WIDTH))
            path = options.out / f"preview-{taxon.lower().replace(' ', '-')}.jpg"
            picture.save(path, quality=QUALITY)
            print(f"{path}: {row['institutionCode']}, {picture.width} x {picture.height} pixels")


if __name__ == "__main__":
    main()
