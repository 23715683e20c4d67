"""Taxa in the order of labels, and the sum of species probabilities up to genera and families.

A label is the index of a taxon in a ``Taxonomy``. The bundle of a training run contains its taxonomy.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from leafid.errors import TaxonomyError


def _without_control_characters(name: str) -> str:
    if not name.isprintable():
        raise ValueError(f"{name!r} has characters that cannot be printed; write the name without them")
    return name


Name = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_without_control_characters)]
"""A name as it is printed in terminals, pages and tables."""

LISTED_NAMES = 20
"""Names that a message lists; a checklist may have thousands."""


class Rank(StrEnum):
    """Taxonomic ranks in use, from the narrowest to the widest (Darwin Core ``taxonRank`` values)."""

    SPECIES = "species"
    GENUS = "genus"
    FAMILY = "family"


class Taxon(BaseModel):
    """One taxon that the network can predict.

    ``scientific_name`` is written without its author; ``key`` is the taxon's key in a checklist such as GBIF's, as a
    string.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scientific_name: Name
    rank: Rank = Rank.SPECIES
    genus: Name | None = None
    family: Name | None = None
    key: Name | None = None

    @classmethod
    def from_name(cls, scientific_name: str, *, family: str | None = None, key: str | None = None) -> Self:
        """Make a species from its name; a name of two or more words gives the genus with its first word."""
        words = scientific_name.split()
        if not words:
            raise TaxonomyError("A taxon has an empty name. Give every image a scientific name.")
        genus = words[0] if len(words) > 1 else None
        return cls(scientific_name=" ".join(words), genus=genus, family=family, key=key)

    def at(self, rank: Rank) -> str | None:
        """Return this taxon's name at ``rank``, or None if it is unknown."""
        if rank == self.rank:
            return self.scientific_name
        return {Rank.GENUS: self.genus, Rank.FAMILY: self.family}.get(rank)


class Taxonomy(BaseModel):
    """The taxa that a network can predict, in label order: ``taxonomy.taxa[label]``; ``target`` is the target taxon."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    taxa: tuple[Taxon, ...]
    target: str | None = None

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = self.names
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise TaxonomyError(f"These names occur twice in the taxonomy: {_listed(twice)}. Keep each once.")
        if self.target is not None and self.target not in names:
            raise TaxonomyError(f"The target {self.target!r} is not among the taxa: {_listed(names)}.")
        return self

    @classmethod
    def from_names(cls, names: Iterable[str], *, target: str | None = None) -> Self:
        """Make a taxonomy of species in alphabetical order, each name once."""
        return cls(taxa=tuple(Taxon.from_name(name) for name in sorted(set(names))), target=target)

    @property
    def names(self) -> tuple[str, ...]:
        """The scientific names in label order."""
        return tuple(taxon.scientific_name for taxon in self.taxa)

    @property
    def target_label(self) -> int | None:
        """The label of the target, or None if the job has none."""
        return None if self.target is None else self.label(self.target)

    def label(self, scientific_name: str) -> int:
        """Return the label of a name.

        Raises:
            TaxonomyError: the name is not in this taxonomy.
        """
        try:
            return self.names.index(scientific_name)
        except ValueError:
            raise TaxonomyError(
                f"{scientific_name!r} is not among the {len(self)} taxa: {_listed(self.names)}."
            ) from None

    def labels(self, scientific_names: Sequence[str]) -> list[int]:
        """Return the labels of many names; one error lists every unknown name."""
        known = {name: label for label, name in enumerate(self.names)}
        unknown = sorted({name for name in scientific_names if name not in known})
        if unknown:
            raise TaxonomyError(f"Not among the {len(self)} taxa: {_listed([repr(name) for name in unknown])}.")
        return [known[name] for name in scientific_names]

    def roll_up(self, probabilities: Sequence[float], rank: Rank) -> dict[str, float]:
        """Sum species probabilities up to ``rank``; taxa without a known name at that rank are omitted.

        Args:
            probabilities: one value per label, in label order.
            rank: the rank to sum to.
        """
        totals: dict[str, float] = {}
        for taxon, probability in zip(self.taxa, probabilities, strict=True):
            name = taxon.at(rank)
            if name is not None:
                totals[name] = totals.get(name, 0.0) + float(probability)
        return totals

    def __len__(self) -> int:
        """Return the number of labels."""
        return len(self.taxa)

    def each(self) -> Iterator[tuple[int, Taxon]]:
        """Yield ``(label, taxon)`` in label order."""
        return enumerate(self.taxa)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED_NAMES} more" if len(names) > LISTED_NAMES else ""
    return ", ".join(names[:LISTED_NAMES]) + more
