"""Parse scientific names of public sources, without author and uncertain epithets, and match them to a job's taxa."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from leafid.jobs import TaxaSettings, TaxonEntry

RANK_MARKERS = {
    "subsp.": "subsp.",
    "ssp.": "subsp.",
    "var.": "var.",
    "f.": "f.",
    "fo.": "f.",
    "forma": "f.",
    "subvar.": "subvar.",
}
"""Spellings of ranks below the species, with the standard one."""

_UNCERTAIN = re.compile(r"\b(?:cf|aff|nr|vel|sp|spp|indet|ined)\b\.?|\?", re.IGNORECASE)
_AUTHOR_WORDS = ("ex", "et", "in", "and", "non", "nec", "var", "subsp")
_EPITHET = re.compile(r"[a-zà-ÿ][a-zà-ÿ-]+")
_GENUS = re.compile(r"[A-ZÀ-Þ][a-zà-ÿ-]+")


@dataclass(frozen=True)
class CanonicalName:
    """A name without its author: ``genus``, and the epithets ``species`` and ``infraspecific`` if known."""

    genus: str
    species: str | None = None
    infraspecific: str | None = None

    def __str__(self) -> str:
        """Return the whole name."""
        return " ".join(part for part in (self.genus, self.species, self.infraspecific) if part)

    @property
    def binomial(self) -> str:
        """The name without its infraspecific part."""
        return " ".join(part for part in (self.genus, self.species) if part)


def canonical_name(text: str) -> CanonicalName | None:
    """Parse a scientific name with or without author; None if it has no genus.

    ``Mitragyna speciosa (Korth.) Havil.`` is ``Mitragyna speciosa``. ``Nauclea africana Willd. var. luzoniensis DC.``
    keeps its variety. ``Uncaria sp.`` and ``Mitragyna cf. speciosa`` give the genus alone.
    """
    words = text.replace("×", " ").replace("_", " ").split()
    words = [word for word in words if word.lower() != "x"]
    if not words:
        return None
    genus = words[0][:1].upper() + words[0][1:].lower() if words[0].isupper() or words[0].islower() else words[0]
    if not _GENUS.fullmatch(genus):
        return None
    species = words[1].lower() if len(words) > 1 and words[1].isupper() else "".join(words[1:2])
    if not _EPITHET.fullmatch(species) or _UNCERTAIN.fullmatch(species) or _UNCERTAIN.search(" ".join(words[1:])):
        return CanonicalName(genus)
    infraspecific = None
    for mark, epithet in pairwise(words):
        if mark.lower() in RANK_MARKERS and _EPITHET.fullmatch(epithet) and epithet not in _AUTHOR_WORDS:
            infraspecific = f"{RANK_MARKERS[mark.lower()]} {epithet}"
    return CanonicalName(genus, species, infraspecific)


class TaxonMatcher:
    """Matches published names and checklist keys to the entries of a job.

    ``keys`` maps keys of the checklist to names of entries (see ``name_resolution``). If the job has no taxa, every
    name is accepted and ``match`` always returns None.
    """

    def __init__(self, taxa: TaxaSettings | None, keys: Mapping[str, str] | None = None) -> None:
        self._taxa = taxa
        self._entries = {entry.name: entry for entry in taxa.entries} if taxa else {}
        self._keys = dict(keys or {})

    @property
    def accepts_any_name(self) -> bool:
        """Whether the job has no taxa, so that every name is accepted."""
        return self._taxa is None or not self._entries

    def match(self, name: CanonicalName | None, keys: tuple[str | None, ...] = ()) -> TaxonEntry | None:
        """Return the entry of the first known key of ``keys`` (narrowest taxon first), or else of the name.

        An infraspecific name is tried as such, then as its species, then as its genus.
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

    def catalog_name(self, name: CanonicalName, entry: TaxonEntry | None) -> str:
        """Return the name for the catalog: that of the entry, or the species if the entry is a genus."""
        return name.binomial if entry is None or entry.rank == "genus" else entry.name
