"""Which taxon of the job a name in the catalog stands for: accepted names, synonyms, varieties, hedged names."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from leafid.curation.names import read_name
from leafid.errors import TaxonomyError
from leafid.jobs import TaxaSettings, TaxonEntry
from leafid.taxonomy import Taxon, Taxonomy

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
    """The accepted names of a job by the keys of all their spellings (see ``names.Name.key``)."""

    accepted: dict[str, str]
    synonyms: dict[str, str]

    @classmethod
    def of_job(cls, taxa: TaxaSettings) -> "Determinations":
        """Read accepted names and synonyms of a job.

        Raises:
            TaxonomyError: one name stands for two taxa; all such names are listed.
        """
        accepted = {read_name(entry.name).key: entry.name for entry in taxa.entries}
        claims: dict[str, dict[str, None]] = {}
        for entry in taxa.entries:
            for name in (entry.name, *entry.synonyms):
                claims.setdefault(read_name(name).key, {})[entry.name] = None
        disputed = {key: owners for key, owners in claims.items() if len(owners) > 1}
        if disputed or len(accepted) < len(taxa.entries):
            raise TaxonomyError(_disputes(disputed, taxa.entries))
        return cls(accepted, {key: next(iter(owners)) for key, owners in claims.items() if key not in accepted})

    @classmethod
    def of_names(cls, names: Sequence[str]) -> "Determinations":
        """Take every name as accepted; of several spellings the commonest stands for all."""
        spellings: dict[str, Counter[str]] = {}
        for name in names:
            read = read_name(name)
            if not read.uncertain:
                spellings.setdefault(read.key, Counter())[read.canonical] += 1
        return cls({key: min(ways, key=lambda way: (-ways[way], way)) for key, ways in spellings.items()}, {})

    def accepted_name(self, name: str) -> str | LeftOutReason:
        """Return the accepted name that ``name`` stands for, or why there is none.

        A variety or subspecies counts as its species, unless the job lists it itself. That of a synonym does not: it
        may belong elsewhere, as *Nauclea parvifolia* var. *diversifolia* does.
        """
        read = read_name(name)
        if read.uncertain:
            return LeftOutReason.UNCERTAIN_NAME
        found = self.accepted.get(read.key) or self.synonyms.get(read.key)
        if found is None and read.species is not None:
            found = self.accepted.get(read_name(read.species).key)
        return found or LeftOutReason.NAME_NOT_IN_JOB


def taxonomy_of(taxa: TaxaSettings | None, accepted: "pd.Series", catalog: "pd.DataFrame") -> Taxonomy:
    """Make the taxonomy: labels in alphabetical order; family, genus and key from the job or, unanimous, the catalog.

    Args:
        taxa: the job's taxa; None: the names in ``accepted``.
        accepted: the accepted name of each row of ``catalog``.
        catalog: where the names come from.
    """
    entries = taxa.entries if taxa else tuple(TaxonEntry(name=str(name)) for name in sorted(set(accepted)))
    members = []
    for entry in sorted(entries, key=lambda entry: entry.name):
        rows = catalog[accepted == entry.name]
        made = Taxon.from_name(entry.name)
        members.append(
            made.model_copy(
                update={
                    "genus": _genus(entry.name) or _unanimous(rows, "genus"),
                    "family": entry.family or _unanimous(rows, "family"),
                    "key": _unanimous(rows, "acceptedTaxonKey"),
                }
            )
        )
    target = taxa.target.name if taxa and taxa.target else None
    return Taxonomy(taxa=tuple(members), target=target)


def _genus(name: str) -> str | None:
    words = [word for word in name.split() if word != "×"]
    return words[0] if len(words) > 1 else None


def _unanimous(rows: "pd.DataFrame", column: str) -> str | None:
    """The value of a column if all rows that have one agree."""
    values = set(rows[column].dropna()) if column in rows else set()
    return str(values.pop()) if len(values) == 1 else None


def _disputes(disputed: dict[str, dict[str, None]], entries: Sequence[TaxonEntry]) -> str:
    lines = [f"  {key!r} stands for {' and for '.join(owners)}" for key, owners in disputed.items()]
    names = Counter(entry.name for entry in entries)
    lines += [f"  {name!r} stands {count} times among the taxa" for name, count in names.items() if count > 1]
    return "\n".join(["taxa: names must stand for one taxon each, and do not:", *lines])
