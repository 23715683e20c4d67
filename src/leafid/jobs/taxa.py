"""Section ``taxa``: which plant is asked for, and which others it is told from."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from leafid.jobs.section import Section


def _bare_name(value: Any) -> Any:  # noqa: ANN401 -- whatever stands in the YAML
    """Let ``Mitragyna hirsuta`` stand for ``{name: Mitragyna hirsuta}``."""
    return {"name": value} if isinstance(value, str) else value


class TaxonEntry(Section):
    """One taxon of a job: a name, or a mapping with these keys."""

    name: Annotated[str, Field(min_length=1)]
    """Accepted scientific name, without its author."""
    synonyms: tuple[str, ...] = ()
    """Other names of the same taxon; images under them count as this taxon."""
    why: str | None = None
    """Why the taxon is in the job, for the reader."""
    family: str | None = None
    """Family, for results rolled up to that rank."""


Entry = Annotated[TaxonEntry, BeforeValidator(_bare_name)]


class TaxaSettings(Section):
    """The taxa of a job. Without this section every name in the catalog is a taxon, and none is the target."""

    target: Entry | None = None
    """The taxon asked for; results carry its score as target_score."""
    look_alikes: tuple[Entry, ...] = ()
    """The taxa it is told from."""

    @property
    def entries(self) -> tuple[TaxonEntry, ...]:
        """All taxa, the target first."""
        return (*([self.target] if self.target else []), *self.look_alikes)
