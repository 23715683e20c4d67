"""Heat maps for many images, small: the view with most weight, once for each taxon asked for.

They are the maps of ``leafid explain`` without its measures of how true they are, which take most of its time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.bundle import BundleInfo, read_bundle
from leafid.sheets import prepare_file
from leafid.trust.heat_maps import heat_of, weights_of_views

if TYPE_CHECKING:
    from leafid.learning import Network

_HOT = np.array([255, 60, 0])
_STRONGEST = 0.75  # of the colour, so that the leaf stays visible under it


@dataclass(frozen=True)
class HeatPictures:
    """Draws heat maps with the network of a bundle."""

    network: "Network"
    info: BundleInfo

    @classmethod
    def of_bundle(cls, folder: Path, *, device: str = "auto") -> Self:
        """Load the network of a bundle.

        Raises:
            BundleError: it is missing, damaged, foreign, or written by a newer leafid.
            UsageError: there is no such device.
        """
        from leafid.learning import choose_device, network_of

        bundle = read_bundle(folder)
        return cls(network_of(bundle).to(choose_device(device)), bundle.info)

    def draw(self, photo: Path, names: Sequence[str], *, longest: int) -> tuple[Image.Image, ...]:
        """Draw what speaks for each taxon in the view of a photo that has most weight in the answer.

        Args:
            photo: the file.
            names: taxa of the bundle.
            longest: longer side of the pictures in pixels.

        Raises:
            ImageError: the photo cannot be read.
        """
        prepared = prepare_file(photo, self.info.preprocessing)
        weights = weights_of_views(self.network, prepared)
        view = prepared.views[int(np.argmax(weights))]
        labels = [self.info.taxonomy.names.index(name) for name in names]
        return tuple(_drawn(view, heat_of(self.network, view, label), longest) for label in labels)


def _drawn(view: NDArray[np.uint8], heat: NDArray[np.float32], longest: int) -> Image.Image:
    """Lay the positive heat over a view, the hottest place strongest."""
    positive = np.maximum(heat, 0)
    share = positive / positive.max() if positive.max() > 0 else positive
    strength = _STRONGEST * np.sqrt(share)[..., None]
    picture = Image.fromarray((view * (1 - strength) + _HOT * strength).astype(np.uint8))
    picture.thumbnail((longest, longest))
    return picture
