"""A record warns of names that rest on few plants or on drawings."""

from pathlib import Path

import pytest

from leafid.bundle import BundleInfo, read_bundle
from leafid.identify.cautions import caution_of
from leafid.taxonomy import Rank
from leafid.trust import Identification
from tests.identify.small_bundle import COLOURS, TARGET


def _info(bundle_folder: Path, **provenance: object) -> BundleInfo:
    info = read_bundle(bundle_folder).info
    return info.model_copy(update={"provenance": info.provenance.model_copy(update=provenance)})


def test_a_taxon_with_few_training_gatherings_has_a_caution(bundle_folder: Path) -> None:
    counts = tuple(4 if name == TARGET else 5 for name in read_bundle(bundle_folder).info.taxonomy.names)
    info = _info(bundle_folder, training_gatherings=counts)
    assert caution_of(info, _named(TARGET)) == f"The bundle was trained on 4 gatherings of {TARGET} only."
    assert {caution_of(info, _named(name)) for name in COLOURS if name != TARGET} == {None}


def _named(name: str | None) -> Identification:
    return Identification(name, Rank.SPECIES, 0.9, ((0, 0.9),), None, None)


@pytest.mark.parametrize(("domains", "warns"), [({"drawn": 9}, True), ({"drawn": 9, "field": 1}, False), ({}, False)])
def test_names_from_drawings_have_a_caution(bundle_folder: Path, domains: dict[str, int], warns: bool) -> None:
    info = _info(bundle_folder, domains=domains)
    caution = caution_of(info, _named(TARGET))
    assert (caution is not None and "drawings only" in caution) is warns
    assert caution_of(info, _named(None)) is None
