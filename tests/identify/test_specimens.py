"""Records cite the most similar specimens, and every output format keeps them."""

from pathlib import Path

import pandas as pd
import pytest

from leafid.catalog import write_catalog
from leafid.errors import BundleError
from leafid.identify import Identifier, identify_to_file, read_records
from leafid.trust import ReferenceSpecimens, calibrate
from tests.identify.small_bundle import COLOURS, TARGET, leaf, make_bundle
from tests.trust.conftest import run_folder

__all__ = ["run_folder"]

FREE = "http://creativecommons.org/licenses/by/4.0/"


@pytest.fixture
def cited_run(run_folder: Path) -> Path:
    """Return a run with specimen data in its catalog; the licence allows thumbnails of val images only."""
    split = pd.read_csv(run_folder / "split.csv")
    rows = []
    for number, name in enumerate([name for name in COLOURS for _ in range(4)]):
        leaf(name, 500 + number).save(run_folder.parent / "images" / f"v{number}.png")
        rows.append((f"v{number}", f"images/v{number}.png", name, f"v{number}", None, None, "val"))
    split = pd.concat([split, pd.DataFrame(rows, columns=split.columns)])
    split.to_csv(run_folder / "split.csv", index=False)
    catalog = split.drop(columns="split").assign(
        catalogNumber=[f"K{number:04d}" for number in range(len(split))],
        institutionCode="K",
        recordedBy="Somebody",
        license=[FREE if one == "val" else "all rights reserved" for one in split["split"]],
    )
    write_catalog(catalog, run_folder.parent / "catalog.csv")
    calibrate(run_folder, device="cpu")
    return run_folder


def test_each_candidate_has_specimens_and_every_format_keeps_them(cited_run: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    leaf(TARGET, 77).save(photo)
    identifier = Identifier.load(cited_run, device="cpu", references=2)
    (record,) = identifier.identify([photo])
    assert [one.scientific_name for one in record.specimens] == [
        candidate.scientific_name for candidate in record.candidates for _ in range(2)
    ]
    first = record.specimens[0]
    assert first.similarity > record.specimens[-1].similarity and first.institution_code == "K"
    assert first.catalog_number is not None and first.catalog_number.startswith("K0")
    assert "Somebody" not in str(record)
    for ending in ("csv", "jsonl", "parquet"):
        output = tmp_path / f"out.{ending}"
        identify_to_file(identifier, [photo], output)
        (kept,) = read_records(output)
        assert kept.specimens == record.specimens


def test_without_the_option_no_specimen_is_cited(cited_run: Path, tmp_path: Path) -> None:
    leaf(TARGET, 77).save(tmp_path / "photo.png")
    (record,) = Identifier.load(cited_run, device="cpu").identify([tmp_path / "photo.png"])
    assert record.specimens == ()


def test_a_bundle_without_references_cannot_cite(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle")
    with pytest.raises(BundleError, match="holds no references"):
        Identifier.load(tmp_path / "bundle", device="cpu", references=1)


def test_only_thumbnails_that_the_licence_allows_are_stored(cited_run: Path) -> None:
    from leafid.bundle import read_bundle

    references = ReferenceSpecimens.of_bundle(read_bundle(cited_run))
    picture = references.thumbnail("v0")
    assert picture is not None and picture.startswith(b"\xff\xd8") and len(picture) < 20_000
    assert references.thumbnail("i0") is None
