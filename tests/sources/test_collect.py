"""Every image of the sources becomes a catalog row or a failure."""

import csv
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from leafid.catalog import image_paths, read_catalog
from leafid.errors import SourceError
from leafid.jobs import FolderSource, Job, OutputSettings, TableSource
from leafid.progress import OnProgress
from leafid.sources import collect


def draw(path: Path, shade: int, orientation: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.effect_noise((40, 30), 20 + shade).convert("RGB").save(path, exif=exif)
    return path


def job_of(folder: Path, *sources: FolderSource | TableSource) -> Job:
    return Job(name="test", sources=sources, output=OutputSettings(data=folder / "data"))


def failures_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_every_readable_image_becomes_a_row(tmp_path: Path) -> None:
    upright = draw(tmp_path / "photos" / "Mitragyna_speciosa" / "1.jpg", 0)
    draw(tmp_path / "photos" / "Nauclea officinalis" / "2.jpg", 1, orientation=6)
    progress: list[tuple[int, int]] = []

    @contextmanager
    def progress_bar(description: str, unit: str) -> Iterator[OnProgress]:
        yield lambda done, total: progress.append((done, total))

    collected = collect(
        job_of(tmp_path, FolderSource(kind="folder", path=tmp_path / "photos")),
        progress_bar=progress_bar,
    )
    catalog = read_catalog(collected.catalog_path)
    assert list(catalog["scientificName"]) == ["Mitragyna speciosa", "Nauclea officinalis"]
    assert list(zip(catalog["width"], catalog["height"], strict=True)) == [(40, 30), (30, 40)]
    digest = hashlib.sha256(upright.read_bytes()).hexdigest()
    assert (catalog["sha256"][0], catalog["image_id"][0]) == (digest, digest[:16])
    assert image_paths(catalog, collected.catalog_path)[0].samefile(upright)
    assert (collected.rows, collected.failures) == (2, 0)
    assert collected.by_taxon == {"Mitragyna speciosa": 1, "Nauclea officinalis": 1}
    assert failures_of(collected.failures_path) == []
    assert progress[-1] == (2, 2)


def test_unreadable_files_are_rows_in_failures(tmp_path: Path) -> None:
    folder = tmp_path / "photos" / "Mitragyna speciosa"
    good = draw(folder / "good.jpg", 0)
    (folder / "cut.jpg").write_bytes(good.read_bytes()[:-200])
    (folder / "empty.jpg").touch()
    (folder / "page.jpg").write_text("<html>not found</html>")
    collected = collect(job_of(tmp_path, FolderSource(kind="folder", path=tmp_path / "photos")))
    assert (collected.rows, collected.failures) == (1, 3)
    reasons = {Path(row["path"]).name: row["reason"] for row in failures_of(collected.failures_path)}
    assert reasons == {"cut.jpg": "truncated", "empty.jpg": "empty", "page.jpg": "not_an_image"}


def test_the_same_bytes_twice_are_two_rows_with_their_own_identifiers(tmp_path: Path) -> None:
    one = draw(tmp_path / "photos" / "Viola a" / "1.jpg", 0)
    for name in ("Viola a/2.jpg", "Viola b/1.jpg"):
        copy = tmp_path / "photos" / name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(one.read_bytes())
    catalog = read_catalog(
        collect(job_of(tmp_path, FolderSource(kind="folder", path=tmp_path / "photos"))).catalog_path
    )
    first = catalog["image_id"][0]
    assert list(catalog["image_id"]) == [first, f"{first}-2", f"{first}-3"]


def test_several_sources_make_one_catalog_with_their_columns(tmp_path: Path) -> None:
    draw(tmp_path / "photos" / "Viola a" / "1.jpg", 0)
    draw(tmp_path / "sheets" / "2.jpg", 1)
    table = tmp_path / "sheets" / "list.csv"
    table.write_text("path,scientificName,fold,split\n2.jpg,Viola b,3,test\nlost.jpg,Viola b,1,train\n")
    job = job_of(
        tmp_path,
        FolderSource(kind="folder", path=tmp_path / "photos"),
        TableSource(kind="table", path=table),
    )
    collected = collect(job)
    catalog = read_catalog(collected.catalog_path)
    assert list(catalog["scientificName"]) == ["Viola a", "Viola b"]
    assert pd.isna(catalog["fold"][0]) and catalog["fold"][1] == "3"
    assert catalog["split"][1] == "test"
    (failure,) = failures_of(collected.failures_path)
    assert (failure["reason"], failure["source"]) == ("missing", f"{table}, line 3")


def test_a_checksum_that_differs_from_the_source_is_a_failure(tmp_path: Path) -> None:
    draw(tmp_path / "1.jpg", 0)
    draw(tmp_path / "2.jpg", 1)
    digest = hashlib.sha256((tmp_path / "1.jpg").read_bytes()).hexdigest()
    table = tmp_path / "list.csv"
    table.write_text(f"path,scientificName,sha256\n1.jpg,Viola,{digest.upper()}\n2.jpg,Viola,{digest}\n")
    collected = collect(job_of(tmp_path, TableSource(kind="table", path=table)))
    assert (collected.rows, collected.by_reason) == (1, {"changed": 1})


def test_no_image_at_all_is_an_error_that_shows_why(tmp_path: Path) -> None:
    (tmp_path / "photos" / "Viola").mkdir(parents=True)
    job = job_of(tmp_path, FolderSource(kind="folder", path=tmp_path / "photos"))
    with pytest.raises(SourceError, match=r"There is no image in .*photos"):
        collect(job)
    (tmp_path / "photos" / "Viola" / "1.jpg").touch()
    with pytest.raises(SourceError, match=r"1\.jpg: the file has no bytes"):
        collect(job)


def test_a_table_adds_catalogue_numbers_to_a_folder_and_corrects_names(tmp_path: Path) -> None:
    for number, taxon in enumerate(("Viola a", "Viola a", "Viola b")):
        draw(tmp_path / "photos" / taxon / f"{number}.jpg", number)
    numbers, corrected = tmp_path / "numbers.csv", tmp_path / "corrected.csv"
    numbers.write_text("path,catalogNumber\nphotos/Viola a/0.jpg,VIOLA-1\nphotos/../photos/Viola b/2.jpg,VIOLA-3\n")
    corrected.write_text("path,scientificName\nphotos/Viola a/0.jpg,Viola b\n")
    sources = [TableSource(kind="table", path=path) for path in (numbers, corrected)]
    collected = collect(job_of(tmp_path, sources[0], FolderSource(kind="folder", path=tmp_path / "photos"), sources[1]))
    catalog = read_catalog(collected.catalog_path).fillna("")
    assert list(zip(catalog["scientificName"], catalog["catalogNumber"], strict=True)) == [
        ("Viola b", "VIOLA-1"),
        ("Viola a", ""),
        ("Viola b", "VIOLA-3"),
    ]
    assert collected.notes[0].endswith(
        "numbers.csv: 2 rows complete images of other sources; their values take precedence"
    )


def test_a_row_without_a_name_needs_its_file_in_another_source(tmp_path: Path) -> None:
    draw(tmp_path / "photos" / "Viola a" / "0.jpg", 0)
    draw(tmp_path / "elsewhere.jpg", 1)
    table = tmp_path / "numbers.csv"
    table.write_text("path,catalogNumber\nphotos/Viola a/0.jpg,VIOLA-1\nelsewhere.jpg,VIOLA-2\n")
    folder, numbers = FolderSource(kind="folder", path=tmp_path / "photos"), TableSource(kind="table", path=table)
    collected = collect(job_of(tmp_path, folder, numbers))
    assert [(row["path"], row["reason"], row["detail"]) for row in failures_of(collected.failures_path)] == [
        ("elsewhere.jpg", "no_taxon", "the row has no scientific name, and no other source has its file")
    ]
    with pytest.raises(SourceError, match="Or add the folder of the images, whose folders are named by taxa"):
        collect(job_of(tmp_path, numbers))


def test_two_names_of_one_file_in_a_table_stay_two_rows(tmp_path: Path) -> None:
    draw(tmp_path / "photos" / "Viola a" / "0.jpg", 0)
    table = tmp_path / "names.csv"
    table.write_text("path,scientificName\nphotos/Viola a/0.jpg,Viola b\nphotos/Viola a/0.jpg,Viola c\n")
    folder, names = FolderSource(kind="folder", path=tmp_path / "photos"), TableSource(kind="table", path=table)
    catalog = read_catalog(collect(job_of(tmp_path, folder, names)).catalog_path)
    assert list(catalog["scientificName"]) == ["Viola b", "Viola c"]
