"""Section ``trust``: when an identification is refused, and how often a prediction set contains the true taxon."""

from typing import Annotated, Literal

from pydantic import Field

from leafid.jobs.section import Section

OodScore = Literal[
    "max_probability",
    "energy",
    "mahalanobis",
    "relative_mahalanobis",
    "mahalanobis_ratio",
    "nearest_neighbour",
    "combined",
]
"""OOD scores by name; ``leafid.trust`` computes them."""


class TrustSettings(Section):
    """When an identification is refused, and how large prediction sets are."""

    min_probability: Annotated[float, Field(ge=0, le=1)] = 0.5
    """An image whose highest probability is below this is ``undetermined``, unless its genus or family reaches it."""
    coverage: Annotated[float, Field(ge=0.5, le=0.99)] = 0.95
    """Share of images whose prediction set contains the true taxon; a set lists all taxa that cannot be excluded."""
    ood_score: OodScore = "combined"
    """How unlike an image is to the training images (out of distribution, OOD):
    ``nearest_neighbour``, cosine distance to the most similar training image; ``mahalanobis`` and
    ``relative_mahalanobis``, distance to the nearest taxon; ``mahalanobis_ratio``, that distance divided by the one to
    the second nearest; ``max_probability`` and ``energy``, from the logits alone; ``combined``, the sum of
    ``mahalanobis`` and ``mahalanobis_ratio``, each standardised by images of known taxa."""
    id_acceptance_rate: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    """Share of images of known taxa (in distribution, ID) that the OOD detector must accept. Images with a higher OOD
    score are ``unknown_taxon``."""
