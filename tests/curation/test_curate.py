"""Curation: no gathering crosses the splits, every taxon is in each split if possible, nothing is dropped silently."""

from collections.abc import Mapping

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafid.curation import CuratedCatalog, curate
from leafid.errors import SplitError, TaxonomyError
from leafid.jobs import SplitSettings, TaxaSettings, TaxonEntry
from leafid.taxonomy import Rank
from tests.curation.catalogs import catalog_of, job_of


def catalog_with(sizes: Mapping[str, list[int]]) -> pd.DataFrame:
    """Make a catalog from the numbers of images in the gatherings of each taxon."""
    return catalog_of(
        *(
            {"scientificName": name, "gathering_id": f"{name} {gathering}"}
            for name, images in sizes.items()
            for gathering, size in enumerate(images)
            for _ in range(size)
        )
    )


def reasons_of(curated: CuratedCatalog) -> dict[str, str]:
    return dict(zip(curated.left_out["path"], curated.left_out["reason"], strict=True))


@given(
    st.dictionaries(
        st.sampled_from(["Viola alba", "Viola odorata", "Viola hirta", "Viola mirabilis"]),
        st.lists(st.integers(1, 4), min_size=1, max_size=12),
        min_size=2,
    ),
    st.integers(0, 2**31 - 1),
)
def test_every_image_is_in_one_split_and_no_gathering_crosses(sizes: dict[str, list[int]], seed: int) -> None:
    catalog = catalog_with(sizes)
    split = curate(catalog, job_of(seed=seed)).split
    assert sorted(split["image_id"]) == sorted(catalog["image_id"])
    assert (split.groupby("gathering_id")["split"].nunique() == 1).all()
    for name, images in sizes.items():
        present = set(split.loc[split["scientificName"] == name, "split"])
        assert present == (
            {"train", "val", "test"} if len(images) > 2 else {"train", "test"} if len(images) == 2 else {"train"}
        )


def test_shares_are_those_of_the_job() -> None:
    catalog = catalog_with({"Viola alba": [1] * 100, "Viola odorata": [2] * 40})
    split = curate(catalog, job_of(split=SplitSettings(val=0.1, test=0.2))).split
    units = split.groupby("scientificName")["gathering_id"].apply(lambda ids: ids.nunique())
    drawn = split.groupby(["scientificName", "split"])["gathering_id"].nunique().to_dict()
    assert units.to_dict() == {"Viola alba": 100, "Viola odorata": 40}
    assert (drawn["Viola alba", "test"], drawn["Viola alba", "val"]) == (20, 10)
    assert (drawn["Viola odorata", "test"], drawn["Viola odorata", "val"]) == (8, 4)


def test_sheets_and_photos_of_a_taxon_are_both_in_every_split() -> None:
    rows = [
        {"scientificName": name, "gathering_id": f"{name} {domain} {number}", "domain": domain}
        for name, images in (("Viola alba", {"specimen": 20, "field": 4}), ("Viola odorata", {"specimen": 12}))
        for domain, count in images.items()
        for number in range(count)
    ]
    split = curate(catalog_of(*rows), job_of()).split
    drawn = split.groupby(["scientificName", "domain", "split"]).size().to_dict()
    assert [drawn["Viola alba", "field", part] for part in ("train", "val", "test")] == [2, 1, 1]
    assert [drawn["Viola alba", "specimen", part] for part in ("train", "val", "test")] == [14, 3, 3]


def test_a_job_trains_on_sheets_and_tests_on_photos() -> None:
    rows = [
        {"scientificName": name, "gathering_id": f"{name} {domain} {number}", "domain": domain}
        for name in ("Viola alba", "Viola odorata")
        for domain in ("specimen", "field")
        for number in range(4)
    ]
    settings = SplitSettings(by="column", column="domain", test_values=("field",))
    split = curate(catalog_of(*rows), job_of(split=settings)).split
    assert set(split.loc[split["domain"] == "field", "split"]) == {"test"}
    assert set(split.loc[split["domain"] == "specimen", "split"]) == {"train", "val"}


def test_the_split_depends_on_the_seed_alone() -> None:
    catalog = catalog_with({"Viola alba": [1] * 20, "Viola odorata": [1] * 20})
    shuffled = catalog.sample(frac=1, random_state=1)
    one, same, other = (
        dict(zip(split["image_id"], split["split"], strict=True))
        for split in (
            curate(catalog, job_of(seed=1)).split,
            curate(shuffled, job_of(seed=1)).split,
            curate(catalog, job_of(seed=2)).split,
        )
    )
    assert one == same
    assert one != other


def test_names_are_mapped_to_the_taxa_of_the_job() -> None:
    taxa = TaxaSettings(
        target=TaxonEntry(name="Mitragyna speciosa", synonyms=("Stephegyne speciosa",), family="Rubiaceae"),
        look_alikes=(
            TaxonEntry(name="Mitragyna diversifolia", synonyms=("Nauclea parvifolia var. diversifolia",)),
            TaxonEntry(name="Mitragyna parvifolia", synonyms=("Nauclea parvifolia",)),
            TaxonEntry(name="Uncaria", rank="genus"),
        ),
    )
    names = {
        "Mitragyna speciosa (Korth.) Havil.": "Mitragyna speciosa",
        "STEPHEGYNE SPECIOSA KORTH.": "Mitragyna speciosa",
        "Nauclea parvifolia Roxb.": "Mitragyna parvifolia",
        "Nauclea parvifolia var. diversifolia (Wall. ex G.Don) Craib": "Mitragyna diversifolia",
        "Mitragyna parvifolia var. microphylla (Kurz) Ridsdale": "Mitragyna parvifolia",
        "Uncaria rhynchophylla": "Uncaria",
        "Nauclea parvifolia var. alia": None,
        "Nauclea orientalis": None,
        "Mitragyna cf. speciosa": None,
    }
    curated = curate(catalog_of(*({"scientificName": name} for name in names)), job_of(taxa=taxa))
    used = dict(zip(curated.split["path"], curated.split["scientificName"], strict=True))
    assert used == {f"{row}.jpg": name for row, name in enumerate(names.values()) if name}
    assert reasons_of(curated) == {"6.jpg": "name_not_in_job", "7.jpg": "name_not_in_job", "8.jpg": "uncertain_name"}
    assert any("Nauclea orientalis (1)" in warning for warning in curated.warnings)
    assert curated.taxonomy.target == "Mitragyna speciosa"
    assert curated.taxonomy.names == tuple(sorted(curated.taxonomy.names))
    speciosa = curated.taxonomy.taxa[curated.taxonomy.label("Mitragyna speciosa")]
    assert (speciosa.genus, speciosa.family) == ("Mitragyna", "Rubiaceae")
    assert curated.taxonomy.taxa[curated.taxonomy.label("Uncaria")].rank is Rank.GENUS


def test_entries_of_one_group_are_one_label() -> None:
    taxa = TaxaSettings(
        target=TaxonEntry(name="Mitragyna speciosa"),
        look_alikes=(TaxonEntry(name="Viola alba", group="others"), TaxonEntry(name="Nauclea cadamba", group="others")),
    )
    catalog = catalog_of({"scientificName": "Viola alba"}, {"scientificName": "Nauclea cadamba"})
    curated = curate(catalog, job_of(taxa=taxa))
    assert curated.taxonomy.names == ("Mitragyna speciosa", "others")
    assert set(curated.split["scientificName"]) == {"others"}


def test_a_name_of_two_taxa_is_refused() -> None:
    taxa = TaxaSettings(
        look_alikes=(
            TaxonEntry(name="Viola alba", synonyms=("Viola scotophylla Jord.",)),
            TaxonEntry(name="Viola odorata", synonyms=("viola scotophylla",)),
        )
    )
    with pytest.raises(TaxonomyError, match="'viola scotophylla' belongs to Viola alba and to Viola odorata"):
        curate(catalog_of({}), job_of(taxa=taxa))


def test_without_taxa_spellings_of_one_name_are_one_label() -> None:
    names = ["Viola alba", "Viola alba Besser", "viola alba", "V01", "anantamul"]
    curated = curate(catalog_of(*({"scientificName": name} for name in names)), job_of())
    assert curated.taxonomy.names == ("V01", "Viola alba", "anantamul")


@pytest.mark.parametrize(
    ("names", "conflict"),
    [
        (("Viola alba", "Viola odorata"), True),
        (("Viola alba", "Mitragyna speciosa"), True),
        (("Viola alba", "Viola alba var. scotophylla"), False),
        (("Viola alba", "Viola sp."), False),
        (("Viola alba", "Viola alba Besser"), False),
        (("Viola alba", "Viola cf. odorata"), False),
    ],
)
def test_a_gathering_under_two_names_is_left_out(names: tuple[str, str], conflict: bool) -> None:
    taxa = TaxaSettings(look_alikes=(TaxonEntry(name="Viola alba"), TaxonEntry(name="Viola odorata")))
    catalog = catalog_of(*({"scientificName": name, "gathering_id": "g1"} for name in names))
    curated = curate(catalog, job_of(taxa=taxa))
    assert list(curated.conflicts["kind"]) == ["gathering_under_two_names"] * 2 * conflict
    assert ("0.jpg" in reasons_of(curated)) == conflict
    kept = curate(catalog, job_of(taxa=taxa, conflicts="keep"))
    assert "0.jpg" in set(kept.split["path"])
    assert len(kept.conflicts) == 2 * conflict


def test_one_image_under_two_names_is_left_out() -> None:
    catalog = catalog_of(
        {"image_id": "00000000000000aa", "gathering_id": "g1"},
        {"image_id": "00000000000000aa-2", "scientificName": "Viola odorata", "gathering_id": "g2"},
        {"gathering_id": "g3"},
    )
    curated = curate(catalog, job_of())
    assert set(curated.conflicts["kind"]) == {"image_under_two_names"}
    assert reasons_of(curated) == {"0.jpg": "image_under_two_names", "1.jpg": "image_under_two_names"}
    assert any("2 images in 1 conflicts" in warning for warning in curated.warnings)


def test_the_split_column_is_used_as_it_is() -> None:
    values = ["train", "val", "test", "buffer", None]
    catalog = catalog_of(*({"split": value, "gathering_id": f"g{row}"} for row, value in enumerate(values)))
    curated = curate(catalog, job_of(split=SplitSettings(by="column")))
    assert list(curated.split["split"]) == ["train", "val", "test"]
    assert reasons_of(curated) == {"3.jpg": "split_not_used", "4.jpg": "split_not_used"}


def test_an_institution_is_held_out_with_its_gatherings() -> None:
    rows = [{"institutionCode": "L", "gathering_id": f"g{number}"} for number in range(4)]
    rows += [{"institutionCode": "K", "gathering_id": f"g{number}"} for number in range(3, 20)]
    curated = curate(catalog_of(*rows), job_of(split=SplitSettings(by="institution", test_values=("L",))))
    split = curated.split
    assert set(split.loc[split["split"] == "test", "institutionCode"]) == {"L"}
    assert set(split.loc[split["institutionCode"] == "L", "split"]) == {"test"}
    assert {"train", "val"} == set(split.loc[split["institutionCode"] == "K", "split"])
    assert reasons_of(curated) == {"4.jpg": "gathering_in_test"}  # the duplicate of g3 in K


def test_a_column_splits_by_its_values() -> None:
    rows = [{"batch": f"src{row % 4}", "gathering_id": f"g{row}"} for row in range(12)]
    catalog = catalog_of(*rows, extra=("batch",))
    settings = SplitSettings(by="column", column="batch", test_values=("src0",), val_values=("src1",))
    split = curate(catalog, job_of(split=settings)).split
    assert split.groupby("split").size().to_dict() == {"test": 3, "val": 3, "train": 6}


def test_missing_columns_and_values_are_refused() -> None:
    catalog = catalog_of({"batch": "src1"}, extra=("batch",))
    with pytest.raises(SplitError, match=r"no column 'bach'\. Did you mean 'batch'"):
        curate(catalog, job_of(split=SplitSettings(by="column", column="bach", test_values=("a",))))
    with pytest.raises(SplitError, match="no image has batch 'src9'; the catalog has src1"):
        curate(catalog, job_of(split=SplitSettings(by="column", column="batch", test_values=("src9", "src1"))))
    with pytest.raises(SplitError, match="contains neither train, val nor test; it has no values"):
        curate(catalog, job_of(split=SplitSettings(by="column")))


def test_shortcomings_of_the_split_are_warned_of() -> None:
    curated = curate(catalog_with({"Viola alba": [3], "Viola odorata": [1, 1], "Viola hirta": [1] * 5}), job_of())
    warnings = "\n".join(curated.warnings)
    assert "no test images for Viola alba (1 gathering)" in warnings
    assert "no val images for Viola alba (1 gathering), Viola odorata (2 gatherings)" in warnings
    assert "fewer than ten gatherings" in warnings and "Viola hirta (5)" in warnings


def test_doubtful_names_are_left_out_with_their_reason_and_a_warning() -> None:
    taxa = TaxaSettings.model_validate({"target": "Viola alba", "look_alikes": ["Viola odorata"]})
    names = ["Viola alba", "Viola odorata", "Viola alba x odorata", "Viola alba auct. non Besser", "Viola aff. alba"]
    rows = [{"scientificName": name, "identificationQualifier": None} for name in names]
    catalog = catalog_of(
        *rows,
        {"scientificName": "Viola alba", "identificationQualifier": "c.f."},
        extra=("identificationQualifier",),
    )
    curated = curate(catalog, job_of(taxa=taxa))
    assert reasons_of(curated) == {
        "2.jpg": "hybrid_formula",
        "3.jpg": "misapplied_name",
        "4.jpg": "uncertain_name",
        "5.jpg": "uncertain_name",
    }
    assert "hybrid formulas" in "\n".join(curated.warnings)
    assert "misapplied names" in "\n".join(curated.warnings)


def test_other_words_for_splits_are_taken_and_unknown_ones_are_named() -> None:
    words = ["Train", "training", "valid", "validation", "test", "tset"]
    catalog = catalog_of(*({"scientificName": "Viola alba", "split": word} for word in words))
    curated = curate(catalog, job_of(split=SplitSettings(by="column")))
    assert list(curated.split["split"]) == ["train", "train", "val", "val", "test"]
    assert "1 images are left out, since their split is not train, val or test: tset (1)" in curated.warnings
