"""The statement of limits follows from what a bundle was trained on."""

import pandas as pd

from leafid.statements import TrainedOn

KRATOM, VIOLETS = ("Mitragyna hirsuta", "Mitragyna speciosa"), ("Viola alba", "Viola biflora")


def test_alkaloids_and_the_law_are_spoken_of_only_where_kratom_is_among_the_taxa() -> None:
    assert "alkaloids" in TrainedOn(KRATOM).short and "Sterile Mitragyna" in " ".join(TrainedOn(KRATOM).long)
    violets = TrainedOn(VIOLETS, {"specimen": 100}, 3)
    said = " ".join([violets.short, *violets.long])
    assert "hint, not a determination" in said and "legal or forensic evidence" in said
    assert not any(word in said for word in ("alkaloid", "Mitragyna", "chemi", "DNA"))


def test_the_scope_names_taxa_images_and_herbaria() -> None:
    assert TrainedOn(VIOLETS, {"specimen": 1200, "field": 30}, 3).scope == (
        "The bundle knows 2 taxa only, from 1,200 pressed sheets and 30 photos of living plants of 3 herbaria."
    )
    assert TrainedOn(VIOLETS[:1]).scope == "The bundle knows 1 taxon only."


def test_a_kind_of_image_that_was_never_seen_is_named() -> None:
    assert "Not for photos of living plants or powder" in " ".join(TrainedOn(VIOLETS, {"specimen": 100}).long)
    assert "Not for pressed sheets or powder" in " ".join(TrainedOn(VIOLETS, {"field": 100}).long)
    unstated = " ".join(TrainedOn(VIOLETS, {"field": 100, "": 2}).long)
    assert "Not for powder" in unstated and "Not for pressed" not in unstated


def test_a_bundle_that_saw_drawings_only_warns_of_real_plants() -> None:
    drawn = TrainedOn(KRATOM, {"drawn": 288}, 5)
    assert "It has seen no real leaf" in drawn.short and "288 drawings." in drawn.short
    assert "no real leaf" not in TrainedOn(KRATOM, {"drawn": 288, "specimen": 1}).short


def test_images_are_counted_with_missing_columns_and_values() -> None:
    images = pd.DataFrame(
        {
            "scientificName": ["Viola alba", "Viola biflora", "Viola alba"],
            "domain": ["specimen", None, "photo"],
            "institutionCode": ["L", None, "K"],
        }
    )
    assert TrainedOn.of_images(images) == TrainedOn(VIOLETS, {"specimen": 1, "": 2}, 2)
    assert TrainedOn.of_images(images[["scientificName"]]) == TrainedOn(VIOLETS, {"": 3}, 0)
