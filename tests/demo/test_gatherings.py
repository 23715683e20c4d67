"""The sheets of a drawn herbarium."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leafid.demo import DEMO_TAXA, HERBARIA, SheetSpec, sheet_spec


def specs(sheets: int, seed: int = 0) -> list[SheetSpec]:
    return [sheet_spec(index, seed=seed, px_per_mm=1.0) for index in range(sheets)]


@given(st.integers(1, 130), st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_taxa_are_balanced(sheets: int, seed: int) -> None:
    counts = Counter(spec.taxon for spec in specs(sheets, seed))
    assert all(counts[taxon] >= sheets // 6 for taxon in DEMO_TAXA)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_taxon_is_in_every_herbarium(seed: int) -> None:
    pairs = Counter((spec.taxon, spec.herbarium.code) for spec in specs(240, seed))
    assert set(pairs) == {(taxon, herbarium.code) for taxon in DEMO_TAXA for herbarium in HERBARIA}
    assert set(pairs.values()) == {10}


def test_duplicates_share_the_gathering_and_lie_in_different_herbaria() -> None:
    sheets = defaultdict(list)
    for spec in specs(240):
        sheets[spec.gathering.gathering_id].append(spec)
    duplicated = [group for group in sheets.values() if len(group) > 1]
    assert len(duplicated) >= 20
    for group in duplicated:
        assert len(group) <= 3
        assert len({spec.gathering for spec in group}) == 1
        assert len({spec.herbarium.code for spec in group}) == len(group)
    # Different gatherings never share collector, number and date by accident.
    labels = {(g[0].gathering.collector, g[0].gathering.number, g[0].gathering.date) for g in sheets.values()}
    assert len(labels) == len(sheets)


def test_herbarium_codes_are_not_real_acronyms() -> None:
    assert all(any(letter.isdigit() for letter in herbarium.code) for herbarium in HERBARIA)
