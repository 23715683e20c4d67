"""Section ``fetching``: how images are fetched from the web, and under which licences."""

import re
from typing import Annotated

from pydantic import Field, field_validator

from leafid.jobs.section import Section

LICENCE_PATTERN = re.compile(
    r"CC0-1\.0|CC-PDM-1\.0|CC-PDDC|CC-BY(-NC)?(-SA|-ND)?(-[1-4]\.[05](-[A-Z]{2,3})?)?"
    r"|PDDL-1\.0|ODbL-1\.0|ODC-By-1\.0|LicenseRef-[A-Za-z0-9.-]+|missing|unknown"
)
"""Licence names allowed in a job: SPDX identifiers with or without version, ``missing`` and ``unknown``."""


class FetchingSettings(Section):
    """How images are fetched from the web: rate limits, retries, and the licences allowed."""

    contact: str | None = None
    """Your e-mail address or web page. Required for sources on the web: it is sent with every request, so that a
    herbarium can reach you."""
    licences: Annotated[tuple[str, ...], Field(min_length=1)] = ("CC0-1.0", "CC-PDM-1.0", "CC-BY-4.0", "CC-BY-3.0")
    """Allowed licences of images, as SPDX identifiers. If an image has no licence, that of its record applies. To allow
    images without a readable licence, list ``missing`` and ``unknown``."""
    limit_per_taxon: Annotated[int, Field(ge=1)] | None = None
    """Largest number of images of each taxon, spread over the herbaria that have it. Default: all."""
    max_side: Annotated[int, Field(ge=256, le=20_000)] = 4096
    """Longest side, in pixels, requested from servers that can scale images (IIIF). Other images are fetched as they
    are."""
    max_bytes: Annotated[int, Field(ge=1_000)] = 200_000_000
    """Largest image file in bytes; larger ones are refused."""
    connections: Annotated[int, Field(ge=1, le=64)] = 16
    """Largest number of simultaneous requests over all hosts."""
    connections_per_host: Annotated[int, Field(ge=1, le=16)] = 2
    """Largest number of simultaneous requests to one host."""
    spacing: Annotated[float, Field(ge=0, le=60)] = 0.1
    """Minimum time between the starts of two requests to one host, in seconds."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 6
    """Attempts for each request before it is a failure. Pauses that a host asks for are always observed."""
    timeout: Annotated[float, Field(gt=0, le=600)] = 60.0
    """Seconds without any data after which an attempt fails."""
    least_rate: Annotated[int, Field(ge=0)] = 500
    """Bytes per second below which, over ``timeout`` seconds, a transfer is given up."""
    longest_transfer: Annotated[float, Field(gt=0)] = 1800.0
    """Seconds after which the transfer of one image or reply is given up. Archives are limited by their rate only."""
    first_pause: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Pause before the second attempt, in seconds. It doubles with each further attempt, with random variation."""
    longest_pause: Annotated[float, Field(gt=0, le=3600)] = 300.0
    """Longest pause between two attempts, in seconds. A host that asks for a longer pause, or fails for so long, is not
    contacted again until the next call of the command."""
    allow_private_addresses: bool = False
    """Whether images may be fetched from this machine and local networks, as for tests and your own mirrors."""
    gbif_url: str = "https://api.gbif.org"
    """Address of GBIF's API."""
    idigbio_url: str = "https://search.idigbio.org"
    """Address of iDigBio's search."""
    idigbio_media_url: str = "https://api.idigbio.org"
    """Address of iDigBio's copies of images."""

    @field_validator("licences")
    @classmethod
    def _licences_have_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [licence for licence in value if not LICENCE_PATTERN.fullmatch(licence)]
        if wrong:
            raise ValueError(
                f"contains {', '.join(map(repr, wrong))}; write SPDX identifiers such as CC0-1.0, CC-BY-4.0, "
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
            raise ValueError("is not an e-mail address or web page, such as flora@example.org")
        return value
