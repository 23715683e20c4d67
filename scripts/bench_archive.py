"""Measure time and peak memory of reading a large Darwin Core Archive, generated in the form of a GBIF download.

    python scripts/bench_archive.py --rows 5000000

A separate process reads the archive once for one taxon (one record in fifty matches) and once for all names.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

NAMES = (
    "Mitragyna speciosa",
    *(f"Aster epithet{letter}" for letter in "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvw"),
)
CORE = (
    "gbifID license rightsHolder references institutionCode collectionCode datasetKey basisOfRecord occurrenceID "
    "catalogNumber recordNumber recordedBy eventDate year month day country stateProvince locality decimalLatitude "
    "decimalLongitude identifiedBy dateIdentified scientificName acceptedScientificName kingdom family genus species "
    "specificEpithet taxonRank taxonKey acceptedTaxonKey speciesKey genusKey habitat occurrenceRemarks typeStatus"
).split()
MEDIA = "gbifID type format identifier references title description creator license rightsHolder".split()
DC = ("license", "rightsHolder", "references", "type", "format", "identifier", "title", "description", "creator")


def generate(path: Path, rows: int) -> None:
    """Write an archive with ``rows`` records and as many media."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        made.writestr("meta.xml", meta())
        with made.open("occurrence.txt", "w", force_zip64=True) as file:
            file.write(("\t".join(CORE) + "\n").encode())
            for first in range(0, rows, 10_000):
                file.write("".join(core_row(n) for n in range(first, min(rows, first + 10_000))).encode())
        with made.open("multimedia.txt", "w", force_zip64=True) as file:
            file.write(("\t".join(MEDIA) + "\n").encode())
            for first in range(0, rows, 10_000):
                file.write("".join(media_row(n) for n in range(first, min(rows, first + 10_000))).encode())


def core_row(n: int) -> str:
    """Return one record; keys are scrambled, so that core and media have no common order."""
    name = NAMES[n % 50]
    key = str(1_000_000_000 + n * 7919 % 999_999_937)
    values = {
        "gbifID": key,
        "license": "CC_BY_4_0",
        "institutionCode": ("L", "E", "K", "P", "US")[n % 5],
        "basisOfRecord": "PRESERVED_SPECIMEN",
        "occurrenceID": f"urn:catalog:{n:x}-{n * 31:x}",
        "catalogNumber": f"BC{n:09d}",
        "recordNumber": str(n % 20_000),
        "recordedBy": f"Collector {n % 997}, A. & Other {n % 89}",
        "eventDate": f"{1850 + n % 170}-{1 + n % 12:02d}-{1 + n % 28:02d}",
        "locality": f'Forest edge {n % 5003} km along the river, "primary" forest on limestone, trail no. {n % 71}',
        "decimalLatitude": f"{n % 90}.{n % 10_000:04d}",
        "scientificName": f"{name} (Auth.) Comb.",
        "acceptedScientificName": f"{name} (Auth.) Comb.",
        "family": "Rubiaceae",
        "genus": name.split()[0],
        "species": name,
        "specificEpithet": name.split()[1],
        "taxonRank": "SPECIES",
        "habitat": "Tree of 12 m; bark grey, flowers yellow, in heads",
    }
    return "\t".join(values.get(term, "") for term in CORE) + "\n"


def media_row(n: int) -> str:
    """Return one medium; media are in another order than records."""
    m = n * 3 + 1
    key = str(1_000_000_000 + m % 5_000_000 * 7919 % 999_999_937)
    licence = "http://creativecommons.org/licenses/by/4.0/"
    values = (key, "StillImage", "image/jpeg", f"https://images.example.org/sheets/{m}/original.jpg")
    return "\t".join((*values, "", f"BC{m:09d}", "Herbarium sheet", "Scanner 3", licence, "The Trustees")) + "\n"


def meta() -> str:
    """Return meta.xml, with delimiters as in GBIF downloads."""
    style = (
        'encoding="UTF-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" ignoreHeaderLines="1"'
    )
    tables = []
    for tag, key, row_type, location, columns in (
        ("core", "id", "http://rs.tdwg.org/dwc/terms/Occurrence", "occurrence.txt", CORE),
        ("extension", "coreid", "http://rs.gbif.org/terms/1.0/Multimedia", "multimedia.txt", MEDIA),
    ):
        bases = ("http://purl.org/dc/terms/" if name in DC else "http://rs.tdwg.org/dwc/terms/" for name in columns)
        terms = (f"{base}{name}" for base, name in zip(bases, columns, strict=True))
        fields = "".join(f'<field index="{index}" term="{term}"/>' for index, term in enumerate(terms))
        file = f"<files><location>{location}</location></files>"
        tables.append(f'<{tag} {style} rowType="{row_type}">{file}<{key} index="0"/>{fields}</{tag}>')
    return f'<archive xmlns="http://rs.tdwg.org/dwc/text/">{"".join(tables)}</archive>'


def read(path: Path, taxon: str | None) -> None:
    """Read the archive and print counts, seconds and peak memory as JSON."""
    from leafid.jobs import TaxaSettings
    from leafid.sources.providers.darwin_core_archive import DarwinCoreArchive
    from leafid.sources.providers.occurrences import Occurrence
    from leafid.sources.providers.publisher_archive import read_occurrences
    from leafid.sources.providers.taxon_matching import TaxonMatcher

    started = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    table = TaxonMatcher(TaxaSettings.model_validate({"target": taxon}) if taxon else None)
    found = media = 0
    with DarwinCoreArchive(path) as archive:
        for occurrence in read_occurrences(archive, table, "specimen", path.parent, "archive", None):
            if isinstance(occurrence, Occurrence):
                found += 1
                media += len(occurrence.media)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = time.perf_counter() - started
    print(
        json.dumps(
            {"records": found, "media": media, "s": round(seconds, 1), "peak_mb": peak >> 10, "start_mb": before >> 10}
        )
    )


def main() -> None:
    """Generate an archive, read it twice and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--scratch", type=Path, help="folder for the archive, with about 10 GB free")
    parser.add_argument("--read", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(Path(options.read[0]), options.read[1] if len(options.read) > 1 else None)
        return
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        path = Path(folder) / "archive.zip"
        started = time.perf_counter()
        generate(path, options.rows)
        size = path.stat().st_size / 1e6
        print(
            f"{options.rows} records, {size:.0f} MB compressed, generated in {time.perf_counter() - started:.0f} s",
            flush=True,
        )
        for title, arguments in (("one taxon", [str(path), "Mitragyna speciosa"]), ("all names", [str(path)])):
            done = subprocess.run(
                [sys.executable, __file__, "--read", *arguments], capture_output=True, text=True, check=True
            )
            print(f"{title}: {done.stdout.strip()}", flush=True)


if __name__ == "__main__":
    main()
