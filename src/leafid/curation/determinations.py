"""Which taxon of the job a name in the catalog stands for: accepted names, synonyms, varieties, hedged names."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from leafid.curation.names import read_name
from leafid.errors import TaxonomyError
from leafid.jobs import TaxaSettings, TaxonEntry
from leafid.taxonomy import Rank, Taxon, Taxonomy

if TYPE_CHECKING:
    import pandas as pd


class LeftOutReason(StrEnum):
    """Why an image of the catalog is not used."""

    NAME_NOT_IN_JOB = "name_not_in_job"
    UNCERTAIN_NAME = "uncertain_name"
    GATHERING_UNDER_TWO_NAMES = "gathering_under_two_names"
    IMAGE_UNDER_TWO_NAMES = "image_under_two_names"
    SPLIT_NOT_USED = "split_not_used"
    GATHERING_IN_TEST = "gathering_in_test"


@dataclass(frozen=True)
class Determinations:
    """The taxa of a job by the keys of all their names (``names.Name.key``): accepted names, synonyms, genera."""

    accepted: Mapping[str, str]
    synonyms: Mapping[str, str]
    genera: Mapping[str, str]

    @classmethod
    def of_job(cls, taxa: TaxaSettings) -> "Determinations":
        """Read the names of a job; entries of one group have one label.

        Raises:
            TaxonomyError: one name, however spelled, stands for two taxa; all such names are listed.
        """
        claims: dict[str, dict[str, None]] = {}
        for entry in taxa.entries:
            for name in (entry.name, *entry.synonyms):
                claims.setdefault(read_name(name).key, {})[entry.label_name] = None
        disputed = {key: owners for key, owners in claims.items() if len(owners) > 1}
        if disputed:
            lines = [f"  {key!r} stands for {' and for '.join(owners)}" for key, owners in disputed.items()]
            raise TaxonomyError("\n".join(["taxa: a name must stand for one taxon, and these do not:", *lines]))
        species = [entry for entry in taxa.entries if entry.rank == "species"]
        accepted = {read_name(entry.name).key: entry.label_name for entry in species}
        genera = {
            read_name(name).key: entry.label_name
            for entry in taxa.entries
            if entry.rank == "genus"
            for name in (entry.name, *entry.synonyms)
        }
        synonyms = {read_name(name).key: entry.label_name for entry in species for name in entry.synonyms}
        return cls(accepted, synonyms, genera)

    @classmethod
    def of_names(cls, names: Sequence[str]) -> "Determinations":
        """Take every name as accepted; of several spellings the commonest stands for all."""
        spellings: dict[str, Counter[str]] = {}
        for name in names:
            read = read_name(name)
            if not read.uncertain:
                spellings.setdefault(read.key, Counter())[read.canonical] += 1
        return cls({key: min(ways, key=lambda way: (-ways[way], way)) for key, ways in spellings.items()}, {}, {})

    def label_name(self, name: str) -> str | LeftOutReason:
        """Return the name of the label that ``name`` counts to, or why there is none.

        A variety or subspecies counts as its species, unless the job lists it itself. That of a synonym does not: it
        may belong elsewhere, as *Nauclea parvifolia* var. *diversifolia* does.
        """
        read = read_name(name)
        if read.uncertain:
            return LeftOutReason.UNCERTAIN_NAME
        found = self.accepted.get(read.key) or self.synonyms.get(read.key)
        if found is None and read.species is not None:
            found = self.accepted.get(read_name(read.species).key)
        return found or self.genera.get(read.key.split(" ", 1)[0]) or LeftOutReason.NAME_NOT_IN_JOB


def taxonomy_of(taxa: TaxaSettings | None, labels: "pd.Series", catalog: "pd.DataFrame") -> Taxonomy:
    """Make the taxonomy: labels in alphabetical order; family, genus and key from the job or, unanimous, the catalog.

    Args:
        taxa: the job's taxa; None: the names in ``labels``.
        labels: the name of the label of each row of ``catalog``.
        catalog: the rows that are used.
    """
    entries = taxa.entries if taxa else tuple(TaxonEntry(name=str(name)) for name in set(labels))
    of_label: dict[str, list[TaxonEntry]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.label_name, entry.name)):
        of_label.setdefault(entry.label_name, []).append(entry)
    members = tuple(_taxon(label, members, catalog[labels == label]) for label, members in of_label.items())
    return Taxonomy(taxa=members, target=taxa.target.label_name if taxa and taxa.target else None)


def _taxon(label: str, entries: Sequence[TaxonEntry], rows: "pd.DataFrame") -> Taxon:
    """One taxon; what the entries of a group do not share stays unknown."""
    genera = {_genus(entry) for entry in entries}
    families = {entry.family for entry in entries}
    return Taxon(
        scientific_name=label,
        rank=Rank.GENUS if [entry.rank for entry in entries] == ["genus"] else Rank.SPECIES,
        genus=genera.pop() if len(genera) == 1 and genera != {None} else _unanimous(rows, "genus"),
        family=families.pop() if len(families) == 1 and families != {None} else _unanimous(rows, "family"),
        key=(entries[0].key or _unanimous(rows, "acceptedTaxonKey")) if len(entries) == 1 else None,
    )


def _genus(entry: TaxonEntry) -> str | None:
    words = [word for word in entry.name.split() if word != "×"]
    return words[0] if len(words) > 1 or entry.rank == "genus" else None


def _unanimous(rows: "pd.DataFrame", column: str) -> str | None:
    """The value of a column if all rows that have one agree."""
    values = set(rows[column].dropna()) if column in rows else set()
    return str(values.pop()) if len(values) == 1 else None
