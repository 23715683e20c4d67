"""Section ``trust``: when the answer is "I cannot tell", and how sure a prediction set must be."""

from typing import Annotated

from pydantic import Field

from leafid.jobs.section import Section


class TrustSettings(Section):
    """When the answer is "I cannot tell"."""

    min_score: Annotated[float, Field(ge=0, le=1)] = 0.5
    """An image whose best score lies below this is ``undetermined``, unless its genus or family reaches it."""
    coverage: Annotated[float, Field(ge=0.5, le=0.99)] = 0.95
    """Share of images whose prediction set is to hold the true taxon; it has every taxon that cannot be excluded."""
    known_accepted: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    """Share of images of known taxa that are to be accepted as such; all less familiar ones are ``unknown_taxon``."""
