"""Section ``trust``: when the answer is "I cannot tell"."""

from typing import Annotated

from pydantic import Field

from leafid.jobs.section import Section


class TrustSettings(Section):
    """When the answer is "I cannot tell"."""

    min_score: Annotated[float, Field(ge=0, le=1)] = 0.5
    """An image whose best score lies below this is ``undetermined``."""
