"""Choose the sheets of the drawn herbarium: taxa, invented collectors, gatherings and their duplicates.

Sheets come in blocks of 24: each of the six taxa has one sheet in each of the four herbaria. Some of these four are
duplicates of one gathering. A sheet depends on the seed and its index only, so a larger herbarium begins with the same
sheets as a smaller one.
"""

import datetime
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from leafid.demo.herbaria import HERBARIA, Herbarium
from leafid.demo.taxa import DEMO_TAXA
from leafid.demo.traits import Plant, sample_plant

_BLOCK = len(DEMO_TAXA) * len(HERBARIA)
# Numbers of sheets per gathering among the four sheets of a taxon in a block, with probabilities.
_SHARES = ((1, 1, 1, 1), (2, 1, 1), (3, 1), (2, 2))
_SHARE_PROBABILITIES = (0.45, 0.3, 0.15, 0.1)

_GIVEN = ("A.", "B.", "C.", "D.", "E.", "F.", "H.", "J.", "K.", "L.", "M.", "N.", "P.", "R.", "S.", "T.", "W.")
_SURNAMES = (
    "Invented", "Drawn", "Inkwell", "Penstroke", "Outline", "Margin", "Blotter", "Foolscap", "Graphite", "Hatching",
    "Sketcher", "Tracer", "Vellum", "Quill", "Charcoal", "Easel", "Palette", "Stipple", "Linocut", "Woodcut",
)  # fmt: skip


@dataclass(frozen=True)
class Gathering:
    """One collecting event, shared by its duplicates."""

    gathering_id: str
    plant: Plant
    collector: str
    number: str
    date: datetime.date


@dataclass(frozen=True)
class SheetSpec:
    """Everything that determines one drawn sheet."""

    index: int
    seed: int
    herbarium: Herbarium
    gathering: Gathering
    px_per_mm: float

    @property
    def taxon(self) -> str:
        """Scientific name of the drawn plant."""
        return self.gathering.plant.taxon

    @property
    def catalog_number(self) -> str:
        """The number on the barcode, unique among sheets of one seed."""
        return f"{self.herbarium.code}-{self.index:06d}"

    def rng(self) -> np.random.Generator:
        """Return the sheet's own random generator."""
        return np.random.default_rng([self.seed, 2, self.index])


def sheet_spec(index: int, *, seed: int, px_per_mm: float) -> SheetSpec:
    """Return the sheet at `index` (0 or more) of the herbarium drawn with `seed` (0 or more)."""
    herbarium, gathering = _block(seed, index // _BLOCK)[index % _BLOCK]
    return SheetSpec(index, seed, herbarium, gathering, px_per_mm)


@lru_cache(maxsize=64)
def _block(seed: int, block: int) -> tuple[tuple[Herbarium, Gathering], ...]:
    rng = np.random.default_rng([seed, 1, block])
    by_taxon = {taxon: _four_sheets(taxon, f"{seed}-{block}", rng) for taxon in DEMO_TAXA}
    # Any six consecutive sheets from the start of a round hold each taxon once.
    return tuple(by_taxon[DEMO_TAXA[t]][round_] for round_ in range(4) for t in rng.permutation(len(DEMO_TAXA)))


def _four_sheets(taxon: str, prefix: str, rng: np.random.Generator) -> list[tuple[Herbarium, Gathering]]:
    shares = _SHARES[rng.choice(len(_SHARES), p=_SHARE_PROBABILITIES)]
    gatherings = []
    for part, share in enumerate(shares):
        gathering = _gathering(taxon, f"{prefix}-{DEMO_TAXA.index(taxon)}-{part}", rng)
        gatherings += [gathering] * share
    order = rng.permutation(len(gatherings))
    return [(HERBARIA[h], gatherings[g]) for h, g in zip(rng.permutation(len(HERBARIA)), order, strict=True)]


def _gathering(taxon: str, gathering_id: str, rng: np.random.Generator) -> Gathering:
    collector = f"{rng.choice(_GIVEN)} {rng.choice(_SURNAMES)}"
    number = str(rng.integers(10, 9999))
    date = datetime.date(1900, 1, 1) + datetime.timedelta(days=int(rng.integers(0, 44000)))
    return Gathering(gathering_id, sample_plant(taxon, rng), collector, number, date)
