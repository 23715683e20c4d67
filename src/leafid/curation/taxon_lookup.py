"""Look up the taxon of the job for a name in the catalog: accepted names, synonyms, varieties and uncertain names."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from leafid.errors import TaxonomyError
from leafid.jobs import TaxaSettings, TaxonEntry
from leafid.scientific_names import DOUBTFUL, Name, NameKind, read_name
from leafid.taxonomy import Rank, Taxon, Taxonomy

if TYPE_CHECKING:
    import pandas as pd


class LeftOutReason(StrEnum):
    """Why an image of the catalog is not used."""

    NAME_NOT_IN_JOB = "name_not_in_job"
    UNCERTAIN_NAME = "uncertain_name"
    HYBRID_FORMULA = "hybrid_formula"
    MISAPPLIED_NAME = "misapplied_name"
    GATHERING_UNDER_TWO_NAMES = "gathering_under_two_names"
    IMAGE_UNDER_TWO_NAMES = "image_under_two_names"
    SPLIT_NOT_USED = "split_not_used"
    GATHERING_IN_TEST = "gathering_in_test"


_REASON = {
    NameKind.UNCERTAIN: LeftOutReason.UNCERTAIN_NAME,
    NameKind.HYBRID_FORMULA: LeftOutReason.HYBRID_FORMULA,
    NameKind.MISAPPLIED: LeftOutReason.MISAPPLIED_NAME,
}


@dataclass(frozen=True)
class TaxonLookup:
    """The taxa of a job by the keys of all their names (``Name.key``): accepted names, synonyms, genera."""

    accepted: Mapping[str, str]
    synonyms: Mapping[str, str]
    genera: Mapping[str, str]

    @classmethod
    def of_job(cls, taxa: TaxaSettings) -> "TaxonLookup":
        """Index the names of a job; entries of one group have one label.

        Raises:
            TaxonomyError: a name, in any spelling, belongs to two taxa; all such names are listed.
        """
        claims: dict[str, dict[str, None]] = {}
        for entry in taxa.entries:
            for name in (entry.name, *entry.synonyms):
                claims.setdefault(read_name(name).key, {})[entry.label_name] = None
        ambiguous = {key: labels for key, labels in claims.items() if len(labels) > 1}
        if ambiguous:
            lines = [f"  {key!r} belongs to {' and to '.join(labels)}" for key, labels in ambiguous.items()]
            raise TaxonomyError(
                "\n".join(["taxa: a name must belong to one taxon only. Remove these from one:", *lines])
            )
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
    def of_names(cls, names: Sequence[Name]) -> "TaxonLookup":
        """Treat every name as accepted, hybrid formulas too; the commonest of several spellings is used for all."""
        spellings: dict[str, Counter[str]] = {}
        for parsed in names:
            if parsed.kind not in (NameKind.UNCERTAIN, NameKind.MISAPPLIED):
                spellings.setdefault(parsed.key, Counter())[parsed.canonical] += 1
        commonest = {key: min(counts, key=lambda text: (-counts[text], text)) for key, counts in spellings.items()}
        return cls(commonest, {}, {})

    def label_name(self, name: Name) -> str | LeftOutReason:
        """Return the name of the label for ``name``, or the reason why there is none.

        A doubtful name has a label only if the job lists it as such, and a hybrid formula also that of its genus.

        A variety or subspecies has the label of its species, unless the job lists it itself. A variety of a synonym has
        not, since it may belong to another species, as *Nauclea parvifolia* var. *diversifolia* does.
        """
        label = self.accepted.get(name.key) or self.synonyms.get(name.key)
        if label is None and name.kind in DOUBTFUL:
            genus = self.genera.get(read_name(name.genus).key) if name.genus else None
            return genus if genus and name.kind is NameKind.HYBRID_FORMULA else _REASON[name.kind]
        if label is None and name.species is not None:
            label = self.accepted.get(read_name(name.species).key)
        return label or self.genera.get(name.key.split(" ", 1)[0]) or LeftOutReason.NAME_NOT_IN_JOB


def taxonomy_of(taxa: TaxaSettings | None, labels: "pd.Series", catalog: "pd.DataFrame") -> Taxonomy:
    """Make the taxonomy: labels in alphabetical order; family, genus and key from the job, or else from the catalog.

    A value of the catalog is used only if all rows of the label agree.

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
    """Make one taxon; values that differ between the entries of a group are unknown."""
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
    """Return the value of a column if all rows that have one agree, else None."""
    values = set(rows[column].dropna()) if column in rows else set()
    return str(values.pop()) if len(values) == 1 else None
