"""What a reader must know before using the name in a record, from what the bundle was trained on."""

from collections.abc import Sequence

from leafid.bundle import BundleInfo
from leafid.identify.records import PlantPhoto, unicode_path
from leafid.trust import Identification

_NAMED_PHOTOS = 3  # in a caution; the column `photos` lists all


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


def caution_of_photos(photos: Sequence[PlantPhoto], first_candidate: str | None) -> str | None:
    """Return the caution for a plant whose photos were not all used, or do not agree; None if all is well.

    Args:
        photos: of the plant; empty for the record of a photo.
        first_candidate: the most probable taxon of the plant; None if no photo could be read.
    """
    cautions = []
    if left_out := [photo for photo in photos if photo.left_out is not None]:
        listed = _listed([f"{_file(photo)} ({(photo.left_out or '').partition(':')[0]})" for photo in left_out])
        if len(left_out) == len(photos):
            cautions.append(f"No photo is suitable: {listed}.")
        else:
            cautions.append(f"{len(left_out)} of {len(photos)} photos left out: {listed}.")
    used = [photo for photo in photos if photo.left_out is None]
    if others := [photo for photo in used if photo.scientific_name != first_candidate]:
        listed = _listed([f"{_file(photo)} ({photo.scientific_name} {photo.probability or 0:.2f})" for photo in others])
        verb = "looks" if len(others) == 1 else "look"
        cautions.append(
            f"{len(others)} of {len(used)} photos {verb} more like another taxon: {listed}. "
            "Check that all show one plant."
        )
    return " ".join(cautions) or None


def _file(photo: PlantPhoto) -> str:
    return unicode_path(photo.path.replace("\\", "/").rpartition("/")[2])


def _listed(photos: Sequence[str]) -> str:
    more = f" and {len(photos) - _NAMED_PHOTOS} more" if len(photos) > _NAMED_PHOTOS else ""
    return ", ".join(photos[:_NAMED_PHOTOS]) + more
