"""Statements of limits that every human-readable output carries.

What is said depends on what a bundle was trained on: its taxa, the kind of its images and where they come from.

Sources: Sengnon et al. 2023 (alkaloid content varies by season and region, vein colour is not a diagnostic character);
Tungphatthong et al. 2021, Sci. Rep. 11: 6738 (DNA barcodes confirm the species); Brown, Lund & Murch 2017, J.
Ethnopharmacol. 202: 302 (sterile Mitragyna are difficult even for botanists).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

KRATOM_GENUS = "Mitragyna"

_HINT = "A name from an image of leaves is a hint, not a determination."
_NO_EVIDENCE = "It is not medical, legal or forensic evidence."

LIMITS = (
    "A leaf identification says nothing about alkaloids, potency, safety or legality; "
    "it is not medical, legal or forensic evidence. Confirm with DNA or chemistry."
)
"""One sentence on kratom, for outputs that no bundle stands behind."""

DOMAINS = {
    "specimen": "pressed sheets",
    "field": "photos of living plants",
    "drawn": "drawings",
    "": "images of unstated kind",
}
"""Values of the catalog column ``domain`` in words; empty: not stated."""


@dataclass(frozen=True)
class TrainedOn:
    """What a bundle can know, and the limits that follow from it.

    ``domains`` counts training images by the catalog's ``domain``; ``institutions`` counts the herbaria, 0 if unstated.
    """

    taxa: tuple[str, ...]
    domains: Mapping[str, int] = field(default_factory=dict)
    institutions: int = 0

    @classmethod
    def of_images(cls, images: "pd.DataFrame") -> "TrainedOn":
        """Count images; a missing column counts as not stated.

        Args:
            images: (N); the columns ``scientificName`` and, where present, ``domain`` and ``institutionCode``.
        """
        stated = {name: images[name].fillna("") for name in ("domain", "institutionCode") if name in images}
        herbaria = set(stated["institutionCode"]) - {""} if "institutionCode" in stated else set()
        return cls(
            tuple(sorted(set(images["scientificName"].dropna()))),
            count_domains(stated["domain"] if "domain" in stated else [""] * len(images)),
            len(herbaria),
        )

    @property
    def drawn_only(self) -> bool:
        """Whether every training image is a drawing."""
        return set(self.domains) == {"drawn"}

    @property
    def _kratom(self) -> bool:
        return any(name.split()[0] == KRATOM_GENUS for name in self.taxa if name.strip())

    @property
    def scope(self) -> str:
        """What was seen in training, in a sentence."""
        images = " and ".join(f"{count:,} {DOMAINS.get(name, name)}" for name, count in self.domains.items())
        herbaria = f" of {self.institutions} {'herbarium' if self.institutions == 1 else 'herbaria'}"
        learned = f", from {images}{herbaria if self.institutions and not self.drawn_only else ''}" if images else ""
        return f"The bundle knows {len(self.taxa)} {'taxon' if len(self.taxa) == 1 else 'taxa'} only{learned}."

    @property
    def caution(self) -> str:
        """What holds for names of these taxa from leaves, whatever gives them."""
        return LIMITS if self._kratom else f"{_HINT} {_NO_EVIDENCE}"

    @property
    def short(self) -> str:
        """The limits for terminals, tables and plots: two to four sentences."""
        warning = " It has seen no real leaf: its names for real plants mean nothing." if self.drawn_only else ""
        return f"{self.caution} {self.scope}{warning}"

    @property
    def long(self) -> tuple[str, ...]:
        """The limits for model cards and reports: one statement each."""
        statements = [f"{_HINT} {_NO_EVIDENCE}"]
        if self._kratom:
            statements = [
                "This is not a chemical test: a leaf identification says nothing about alkaloid content, potency or "
                "safety.",
                f"{_NO_EVIDENCE} Confirmation needs DNA (ITS2, Bar-HRM) or chemistry, and nothing here may be used to "
                "decide on eating anything.",
                "Legal status varies and changes: check the law where you are.",
            ]
        statements.append(f"{self.scope} It may give one of these names to a plant of any other taxon.")
        if self.drawn_only:
            statements.append("It has seen drawings only and no real leaf: its names for real plants mean nothing.")
        else:
            statements.append(f"Not for {_and(self._unseen)}: it has seen none.")
        if self._kratom:
            statements.append("Sterile Mitragyna are difficult even for botanists.")
        return tuple(statements)

    def unseen_domains(self, domains: Iterable[str]) -> dict[str, int]:
        """Count images of stated kinds that were not among the training images; none if those are of unstated kind.

        Args:
            domains: of the images, values of the catalog column ``domain``.
        """
        if "" in self.domains or not self.domains:
            return {}
        asked = count_domains(domains)
        return {name: count for name, count in asked.items() if name and name not in self.domains}

    @property
    def _unseen(self) -> list[str]:
        known = {name: text for name, text in DOMAINS.items() if name in ("specimen", "field")}
        never = [] if "" in self.domains else [text for name, text in known.items() if name not in self.domains]
        return [*never, "powder, capsules, seedlings and sprout leaves"]


def count_domains(domains: Iterable[str]) -> dict[str, int]:
    """Count images by domain in the order of `DOMAINS`; unknown words count as not stated."""
    counts = dict.fromkeys(DOMAINS, 0)
    for domain in domains:
        counts[domain if domain in DOMAINS else ""] += 1
    return {name: count for name, count in counts.items() if count}


def _and(parts: list[str]) -> str:
    return ", ".join(parts[:-1]) + " or " + parts[-1] if len(parts) > 1 else parts[0]
