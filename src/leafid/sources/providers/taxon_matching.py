"""Match the names and checklist keys of public records to the taxa of a job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leafid.jobs import TaxaSettings, TaxonEntry
from leafid.scientific_names import DOUBTFUL, Name, NameKind, read_name


@dataclass(frozen=True)
class Match:
    """The name of a record for the catalog, its entry of the job if any, and why it is left out, if it is."""

    catalog_name: str
    entry: TaxonEntry | None
    left_because: str | None = None


class TaxonMatcher:
    """Matches published names and checklist keys to the entries of a job.

    ``keys`` maps keys of the checklist to names of entries (see ``name_resolution``). If the job has no taxa, every
    name is accepted.
    """

    def __init__(self, taxa: TaxaSettings | None, keys: Mapping[str, str] | None = None) -> None:
        entries = taxa.entries if taxa else ()
        self._entry_of_name: dict[str, TaxonEntry] = {}
        self._genera: dict[str, TaxonEntry] = {}
        for entry in entries:
            for text in (entry.name, *entry.synonyms):
                self._entry_of_name.setdefault(read_name(text).key, entry)
                if entry.rank == "genus":
                    self._genera.setdefault(read_name(text).key, entry)
        by_name = {entry.name: entry for entry in entries}
        self._entry_of_key = {key: by_name[name] for key, name in (keys or {}).items() if name in by_name}

    @property
    def accepts_any_name(self) -> bool:
        """Whether the job has no taxa, so that every name is accepted."""
        return not self._entry_of_name

    def match(self, name: Name | None, keys: Sequence[str | None] = ()) -> TaxonEntry | None:
        """Return the entry of the first known key of ``keys`` (narrowest taxon first), or else of the name.

        An infraspecific name is tried as such, then as its species, then as its genus. Only a genus is matched to an
        uncertain name, and keys are not used for it where they are those of a species.
        """
        known = [self._entry_of_key[key] for key in keys if key in self._entry_of_key]
        if name is not None and name.kind in DOUBTFUL:
            listed = self._entry_of_name.get(name.key)
            if listed is not None:
                return listed
            if name.kind is NameKind.MISAPPLIED or name.genus is None:
                return None
            if name.kind is NameKind.UNCERTAIN:
                genera = (entry for entry in known if entry.rank == "genus")
                return next(genera, None) or self._genera.get(read_name(name.genus).key)
            return self._genera.get(read_name(name.genus).key)
        if known:
            return known[0]
        if name is None:
            return None
        for text in (name.canonical, name.binomial):
            entry = self._entry_of_name.get(read_name(text).key) if text else None
            if entry is not None:
                return entry
        return self._genera.get(read_name(name.genus).key) if name.genus else None

    def concerns(self, name: Name | None, keys: Sequence[str | None] = ()) -> bool:
        """Whether a record belongs to the job, or is left out only because its name is doubtful."""
        if self.accepts_any_name or self.match(name, keys) is not None:
            return True
        if name is None or name.kind not in DOUBTFUL:
            return False
        return any(self.match(read_name(text)) is not None for text in name.mentioned) or any(
            key in self._entry_of_key for key in keys
        )

    def place(self, name: Name, keys: Sequence[str | None] = (), *, queried: TaxonEntry | None = None) -> Match:
        """Return the name of a record for the catalog, or why the record is left out.

        Args:
            name: the determination of the record.
            keys: its keys in the checklist, the narrowest taxon first.
            queried: the entry that was queried; the record belongs to it unless its name is doubtful or
                matches another entry.
        """
        entry = self.match(name, keys)
        if name.kind in DOUBTFUL:
            if name.kind is NameKind.UNCERTAIN and (entry or self.accepts_any_name) and name.genus:
                return Match(name.genus, entry)
            formula = name.kind is NameKind.HYBRID_FORMULA and (entry or self.accepts_any_name)
            return Match(name.canonical, entry, None if formula else DOUBTFUL[name.kind])
        entry = entry or queried
        own_name = name.binomial or name.canonical
        return Match(own_name if entry is None or entry.rank == "genus" else entry.name, entry)
