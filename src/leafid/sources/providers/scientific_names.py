"""Scientific names as sources write them, brought to the names of a job's taxa: without author, without doubt."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from leafid.jobs import TaxaSettings, TaxonEntry

RANK_MARKS = {
    "subsp.": "subsp.",
    "ssp.": "subsp.",
    "var.": "var.",
    "f.": "f.",
    "fo.": "f.",
    "forma": "f.",
    "subvar.": "subvar.",
}
"""Spellings of ranks below the species, and the one used here."""

_DOUBT = re.compile(r"\b(?:cf|aff|nr|vel|sp|spp|indet|ined)\b\.?|\?", re.IGNORECASE)
_WORDS_OF_AUTHORS = ("ex", "et", "in", "and", "non", "nec", "var", "subsp")
_EPITHET = re.compile(r"[a-zà-ÿ][a-zà-ÿ-]+")
_GENUS = re.compile(r"[A-ZÀ-Þ][a-zà-ÿ-]+")


@dataclass(frozen=True)
class CanonicalName:
    """A name without its author: ``genus``, and ``species`` and ``infraspecific`` where they are known."""

    genus: str
    species: str | None = None
    infraspecific: str | None = None

    def __str__(self) -> str:
        """Return the words of the name."""
        return " ".join(part for part in (self.genus, self.species, self.infraspecific) if part)

    @property
    def binomial(self) -> str:
        """The name without what is below the species."""
        return " ".join(part for part in (self.genus, self.species) if part)


def canonical_name(text: str) -> CanonicalName | None:
    """Read a scientific name with or without author; None where there is no genus.

    ``Mitragyna speciosa (Korth.) Havil.`` is ``Mitragyna speciosa``; ``Nauclea africana Willd. var. luzoniensis DC.``
    keeps its variety; of ``Uncaria sp.`` and ``Mitragyna cf. speciosa`` only the genus is certain.
    """
    words = text.replace("×", " ").replace("_", " ").split()
    words = [word for word in words if word.lower() != "x"]
    if not words:
        return None
    genus = words[0][:1].upper() + words[0][1:].lower() if words[0].isupper() or words[0].islower() else words[0]
    if not _GENUS.fullmatch(genus):
        return None
    species = words[1].lower() if len(words) > 1 and words[1].isupper() else "".join(words[1:2])
    if not _EPITHET.fullmatch(species) or _DOUBT.fullmatch(species) or _DOUBT.search(" ".join(words[1:])):
        return CanonicalName(genus)
    infraspecific = None
    for mark, epithet in pairwise(words):
        if mark.lower() in RANK_MARKS and _EPITHET.fullmatch(epithet) and epithet not in _WORDS_OF_AUTHORS:
            infraspecific = f"{RANK_MARKS[mark.lower()]} {epithet}"
    return CanonicalName(genus, species, infraspecific)


class NameTable:
    """Finds the entry of a job that a published name or checklist key counts to.

    ``keys`` maps keys of the checklist to names of entries (see ``names.py``). Without taxa in the job every name
    counts, and ``find`` returns None for all.
    """

    def __init__(self, taxa: TaxaSettings | None, keys: Mapping[str, str] | None = None) -> None:
        self._taxa = taxa
        self._entries = {entry.name: entry for entry in taxa.entries} if taxa else {}
        self._keys = dict(keys or {})

    @property
    def open(self) -> bool:
        """Whether the job names no taxa, so that every name counts."""
        return self._taxa is None or not self._entries

    def find(self, name: CanonicalName | None, keys: tuple[str | None, ...] = ()) -> TaxonEntry | None:
        """Return the entry for the first of ``keys`` (narrowest taxon first) that is known, else for the name.

        A name below the species is tried as it is, then as its species, then as its genus.
        """
        for key in keys:
            if key in self._keys:
                return self._entries[self._keys[key]]
        if name is None or self._taxa is None:
            return None
        for spelling in dict.fromkeys((str(name), name.binomial)):
            entry = self._taxa.entry_of(spelling)
            if entry is not None:
                return entry
        return None

    def accepted(self, name: CanonicalName, entry: TaxonEntry | None) -> str:
        """Return the name under which an image stands in the catalog: the entry's, or within a genus the species."""
        return name.binomial if entry is None or entry.rank == "genus" else entry.name
