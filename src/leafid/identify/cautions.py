"""What a reader must know before using the name in a record, from what the bundle was trained on."""

from leafid.bundle import BundleInfo


def caution_of(info: BundleInfo, name: str | None) -> str | None:
    """Return the caution for an answer, or None.

    Args:
        info: of the bundle.
        name: the named taxon, genus or family; None where no name is given, which needs no caution.
    """
    if name is None:
        return None
    cautions = []
    if info.trained_on.drawn_only:
        cautions.append("The bundle was trained on drawings only: its names for real plants mean nothing.")
    if (count := info.few_gatherings.get(name)) is not None:
        gatherings = "1 gathering" if count == 1 else f"{count} gatherings"
        cautions.append(f"The bundle was trained on {gatherings} of {name} only.")
    return " ".join(cautions) or None
