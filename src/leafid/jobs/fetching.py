"""Section ``fetching``: how images are taken from the web, and under which licences."""

import re
from typing import Annotated

from pydantic import Field, field_validator

from leafid.jobs.section import Section

LICENCE_PATTERN = re.compile(
    r"CC0-1\.0|CC-PDM-1\.0|CC-PDDC|CC-BY(-NC)?(-SA|-ND)?(-[1-4]\.[05](-[A-Z]{2,3})?)?"
    r"|PDDL-1\.0|ODbL-1\.0|ODC-By-1\.0|LicenseRef-[A-Za-z0-9.-]+|missing|unknown"
)
"""What a licence may be called in a job: an SPDX identifier, one without its version, ``missing`` or ``unknown``."""


class FetchingSettings(Section):
    """How images are taken from the web: politely, resumably, and only under the licences named here."""

    contact: str | None = None
    """Your e-mail address or web page. It is sent with every request, so that a herbarium can reach you; needed for
    every source on the web."""
    licences: Annotated[tuple[str, ...], Field(min_length=1)] = ("CC0-1.0", "CC-PDM-1.0", "CC-BY-4.0", "CC-BY-3.0")
    """Licences under which images are taken, as SPDX identifiers. The licence of the image counts, that of the record
    only where the image has none. ``missing`` and ``unknown`` must be named to allow images without a licence that can
    be read."""
    limit_per_taxon: Annotated[int, Field(ge=1)] | None = None
    """At most so many images of each taxon, spread over the herbaria that have it; left out: all."""
    max_side: Annotated[int, Field(ge=256, le=20_000)] = 4096
    """Longest side, in pixels, asked of servers that can scale images (IIIF); other images come as they are."""
    max_bytes: Annotated[int, Field(ge=1_000)] = 200_000_000
    """Larger image files are refused."""
    connections: Annotated[int, Field(ge=1, le=64)] = 16
    """Requests under way at once, over all hosts."""
    connections_per_host: Annotated[int, Field(ge=1, le=16)] = 2
    """Requests under way at once to one host."""
    spacing: Annotated[float, Field(ge=0, le=60)] = 0.1
    """Least time between the starts of two requests to one host, in seconds."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 6
    """Attempts for each request before it is a failure; a host that asks for a pause gets it."""
    timeout: Annotated[float, Field(gt=0, le=600)] = 60.0
    """Seconds without a single byte after which an attempt has failed."""
    first_pause: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Pause before the second attempt, in seconds; it doubles with each further one, give or take chance."""
    longest_pause: Annotated[float, Field(gt=0, le=3600)] = 300.0
    """Longest pause between two attempts, in seconds. A host that asks for a longer one, or gives nothing but faults
    for so long, is left for the next call of the command."""
    allow_private_addresses: bool = False
    """Whether this machine and local networks may be fetched from; for tests and mirrors of your own."""
    gbif_url: str = "https://api.gbif.org"
    """Where GBIF's API lies."""
    idigbio_url: str = "https://search.idigbio.org"
    """Where iDigBio's search lies."""
    idigbio_media_url: str = "https://api.idigbio.org"
    """Where iDigBio's copies of images lie."""

    @field_validator("licences")
    @classmethod
    def _licences_have_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [licence for licence in value if not LICENCE_PATTERN.fullmatch(licence)]
        if wrong:
            raise ValueError(
                f"holds {', '.join(map(repr, wrong))}; write SPDX identifiers such as CC0-1.0, CC-BY-4.0, "
                "CC-BY-NC-SA-3.0, or missing, unknown"
            )
        return value

    @field_validator("gbif_url", "idigbio_url", "idigbio_media_url")
    @classmethod
    def _url_is_of_the_web(cls, value: str) -> str:
        if not re.match(r"https?://[^/]", value):
            raise ValueError("must begin with https:// or http://")
        return value.rstrip("/")

    @field_validator("contact")
    @classmethod
    def _contact_reaches_someone(cls, value: str | None) -> str | None:
        if value is not None and not re.search(r"[^@\s]+@[^@\s]+\.[^@\s]+|https?://\S+", value):
            raise ValueError("is no e-mail address or web page, such as flora@example.org")
        return value
