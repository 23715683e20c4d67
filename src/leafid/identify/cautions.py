"""What a reader must know before using the name in a record, from what the bundle was trained on."""

from leafid.bundle import BundleInfo
from leafid.trust import Identification


def caution_of(info: BundleInfo, answer: Identification) -> str | None:
    """Return the caution for an answer, or None; an answer without a name needs none.

    Args:
        info: of the bundle that gave the answer.
        answer: for one image.
    """
    if (name := answer.name) is None:
        return None
    cautions = []
    if info.trained_on.drawn_only:
        cautions.append("The bundle was trained on drawings only: its names for real plants mean nothing.")
    if (count := info.few_gatherings.get(name)) is not None:
        gatherings = "1 gathering" if count == 1 else f"{count} gatherings"
        cautions.append(f"The bundle was trained on {gatherings} of {name} only.")
    left_out = sum(probability for _, probability in answer.excluded)
    if left_out > 0.5:  # without the restriction, another answer would be the more probable one
        label, probability = answer.excluded[0]
        cautions.append(
            f"Taxa that were not asked for are more probable ({left_out:.2f} together), "
            f"such as {info.taxonomy.names[label]} ({probability:.2f})."
        )
    return " ".join(cautions) or None
