"""Section ``taxa``: the target taxon and its look-alikes."""

from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from leafid.jobs.section import Section

GBIF_BACKBONE = "d7dddbf4-2cf0-4f39-9b2a-bb099caae36c"
"""Checklist key of the GBIF backbone taxonomy, frozen in 2023; its keys are whole numbers."""
CATALOGUE_OF_LIFE = "7ddf754f-d193-4cc9-b351-99906754a03b"
"""Checklist key of the Catalogue of Life, extended release; its keys are short strings."""


def _bare_name(value: Any) -> Any:  # noqa: ANN401 -- any YAML value
    """Expand ``Mitragyna hirsuta`` to ``{name: Mitragyna hirsuta}``."""
    return {"name": value} if isinstance(value, str) else value


class TaxonEntry(Section):
    """One taxon of a job: a name, or a mapping with these keys."""

    name: Annotated[str, Field(min_length=1)]
    """Accepted scientific name, without its author."""
    rank: Literal["species", "genus"] = "species"
    """``genus``: all species of the genus that have no entry of their own."""
    synonyms: tuple[str, ...] = ()
    """Other names of the same taxon; images with these names belong to this taxon."""
    group: str | None = None
    """Entries with the same group form one label of this name."""
    key: str | None = None
    """Key in the checklist; needed only if the name alone is ambiguous (``leafid collect`` reports it)."""
    why: str | None = None
    """Why the taxon is in the job: a note for readers."""
    family: str | None = None
    """Family, for results summed up to that rank."""

    @property
    def label_name(self) -> str:
        """The name of this entry's label: its group, or else its name."""
        return self.group or self.name


Entry = Annotated[TaxonEntry, BeforeValidator(_bare_name)]


class TaxaSettings(Section):
    """The taxa of a job. Without this section every name in the catalog is a taxon, and none is the target."""

    target: Entry | None = None
    """The target taxon; results contain its probability as target_probability."""
    look_alikes: tuple[Entry, ...] = ()
    """The taxa to distinguish from the target."""
    checklist: str = GBIF_BACKBONE
    """Key of the GBIF checklist in which names are resolved. Default: the backbone of 2023."""
    lock: Path | None = None
    """File that stores the resolved names with their dates; commit it. Default: ``taxa.lock.yaml`` beside the
    catalog."""

    @model_validator(mode="after")
    def _each_name_once(self) -> Self:
        entry_of_name: dict[str, str] = {}
        times = Counter(entry.name for entry in self.entries)
        for entry in self.entries:
            for name in (entry.name, *entry.synonyms):
                other = entry_of_name.setdefault(name, entry.name)
                if other != entry.name or times[name] > 1:
                    raise ValueError(f"{name!r} is listed under {other!r} and again under {entry.name!r}; keep it once")
        return self

    @property
    def entries(self) -> tuple[TaxonEntry, ...]:
        """All taxa, the target first."""
        return (*([self.target] if self.target else []), *self.look_alikes)

    def entry_of(self, scientific_name: str) -> TaxonEntry | None:
        """Return the entry for a name without author, or None.

        Names and synonyms are matched first, then the genus, if the job has an entry of that rank.
        """
        entry = self._entry_of_name.get(scientific_name)
        if entry is not None:
            return entry
        genus = self._entry_of_name.get(scientific_name.split(" ", 1)[0])
        return genus if genus is not None and genus.rank == "genus" else None

    @cached_property
    def _entry_of_name(self) -> dict[str, TaxonEntry]:
        """Map each name and synonym to its entry."""
        return {name: entry for entry in self.entries for name in (entry.name, *entry.synonyms)}
