"""Section ``trust``: when the answer is "I cannot tell", and how sure a prediction set must be."""

from typing import Annotated, Literal

from pydantic import Field

from leafid.jobs.section import Section

OodScore = Literal["max_logit", "energy", "mahalanobis", "relative_mahalanobis", "nearest_neighbour"]
"""OOD scores by name; ``leafid.trust`` computes them."""


class TrustSettings(Section):
    """When the answer is "I cannot tell"."""

    min_probability: Annotated[float, Field(ge=0, le=1)] = 0.5
    """An image whose highest probability lies below this is ``undetermined``, unless its genus or family reaches it."""
    coverage: Annotated[float, Field(ge=0.5, le=0.99)] = 0.95
    """Share of images whose prediction set contains the true taxon; a set lists all taxa that cannot be excluded."""
    ood_score: OodScore = "nearest_neighbour"
    """How the program measures that an image is unlike all training images (out of distribution, OOD):
    ``nearest_neighbour``, cosine distance to the most similar training image; ``mahalanobis`` and
    ``relative_mahalanobis``, distance to the nearest taxon; ``max_logit`` and ``energy``, from the logits alone."""
    id_acceptance_rate: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    """Share of images of known taxa (in distribution, ID) that the OOD detector must accept; it answers
    ``unknown_taxon`` for images with a higher OOD score."""
