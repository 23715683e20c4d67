"""A split file is read as written; splits with leaks or without training images are refused."""

from pathlib import Path

import pandas as pd
import pytest

from leafid.curation import SPLIT_COLUMNS, check_split, curate, read_split, write_split
from leafid.errors import SplitError
from leafid.taxonomy import Taxonomy
from tests.curation.catalogs import catalog_of, job_of


def good_split() -> pd.DataFrame:
    rows = [
        {"scientificName": name, "gathering_id": f"{name}{number}", "institutionCode": "L" if number else None}
        for name in ("Viola alba", "Viola odorata")
        for number in range(10)
    ]
    return curate(catalog_of(*rows), job_of()).split


def test_what_is_written_is_read(tmp_path: Path) -> None:
    split = good_split()
    write_split(tmp_path / "run" / "split.csv", split)
    pd.testing.assert_frame_equal(read_split(tmp_path / "run" / "split.csv"), split)


def test_a_damaged_split_is_refused_with_every_mistake(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    with pytest.raises(SplitError, match="There is no split"):
        read_split(path)
    path.write_text("image_id,path\n1,2\n")
    with pytest.raises(SplitError, match="lacks the columns scientificName, gathering_id, institutionCode, split"):
        read_split(path)
    path.write_text(",".join(SPLIT_COLUMNS) + "\na,1.jpg,Viola,g1,,,tran\nb,,Viola,g2,,,train\n")
    with pytest.raises(SplitError) as caught:
        read_split(path)
    assert "1 rows without path" in str(caught.value)
    assert "split is 'tran'" in str(caught.value)


def test_a_good_split_is_accepted() -> None:
    split = good_split()
    check_split(split, taxonomy=Taxonomy.from_names(split["scientificName"]))


def test_crossing_gatherings_and_images_are_refused_together() -> None:
    split = good_split()
    train, test = (split.index[split["split"] == name] for name in ("train", "test"))
    split.loc[[train[0], test[0]], "gathering_id"] = "crossing"
    split.loc[test[1], "image_id"] = split.loc[train[1], "image_id"] + "-2"
    with pytest.raises(SplitError) as caught:
        check_split(split)
    assert "gathering crossing is in more than one split: 1 in train, 1 in test" in str(caught.value)
    assert f"image file {split.loc[train[1], 'image_id']} is in more than one split" in str(caught.value)


def test_near_duplicates_that_cross_are_refused_unless_allowed() -> None:
    split = good_split()
    ids = {name: list(split.loc[split["split"] == name, "image_id"]) for name in ("train", "test")}
    check_split(split, near_duplicates=[(ids["train"][0], ids["train"][1]), (ids["train"][0], "not in the split")])
    with pytest.raises(SplitError, match="near_duplicates: allow"):
        check_split(split, near_duplicates=[(ids["train"][0], ids["test"][0])])


def test_taxa_without_training_images_are_all_named() -> None:
    taxonomy = Taxonomy.from_names(["Viola alba", "Viola odorata", "Viola hirta", "Viola mirabilis"])
    with pytest.raises(SplitError, match="no training images for Viola hirta, Viola mirabilis"):
        check_split(good_split(), taxonomy=taxonomy)


def test_a_split_needs_two_taxa_and_validation_images() -> None:
    split = curate(catalog_of({"gathering_id": "g1"}), job_of()).split
    with pytest.raises(SplitError) as caught:
        check_split(split)
    assert "needs two or more" in str(caught.value)
    assert "no images for validation" in str(caught.value)
