"""Draw the figures of the documentation: what the network sees of four drawn sheets.

Drawn sheets only, so that the figures may be passed on. One sheet of each of four taxa, in different herbaria.

    python scripts/draw_docs_figures.py
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
SEEN = Preprocessing(views=ViewCounts(image=1, plant=1, leaves=4, tiles=4))
WIDTH = 1800  # pixels
QUALITY = 82


def main() -> None:
    """Draw sheets, look at them, and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        table = draw_herbarium(Path(folder), sheets=24, seed=4)
        with table.open(encoding="utf-8", newline="") as opened:
            rows = list(csv.DictReader(opened))
        herbaria: set[str] = set()
        for taxon in TAXA:
            of_taxon = [row for row in rows if row["scientificName"] == taxon]
            row = next((row for row in of_taxon if row["institutionCode"] not in herbaria), of_taxon[0])
            herbaria.add(row["institutionCode"])
            picture = preview_image(table.parent / row["path"], SEEN)
            picture.thumbnail((WIDTH, WIDTH))
            path = options.out / f"look-{taxon.lower().replace(' ', '-')}.jpg"
            picture.save(path, quality=QUALITY)
            print(f"{path}: {row['institutionCode']}, {picture.width} x {picture.height} pixels")


if __name__ == "__main__":
    main()
