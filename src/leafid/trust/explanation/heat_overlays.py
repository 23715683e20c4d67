"""Heat maps for many images, small: what speaks for one taxon rather than for its look-alike, and the reverse.

They are the difference of the maps of ``leafid explain``, in the view with most weight. Taken each for itself, the maps
of look-alikes are nearly the same: what both share is hot in both, and decides nothing. The measures of how true a map
is, which take most of the time there, are left out.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.bundle import BundleInfo, read_bundle
from leafid.sheets import prepare_file
from leafid.trust.explanation.heat_maps import heat_of, weights_of_views

if TYPE_CHECKING:
    from leafid.learning import Network

_HOT = np.array([255, 60, 0])
_STRONGEST = 0.75  # of the colour, so that the leaf stays visible under it


@dataclass(frozen=True)
class HeatOverlays:
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
        from leafid.learning import choose_device, load_network

        bundle = read_bundle(folder)
        return cls(load_network(bundle).to(choose_device(device)), bundle.info)

    def draw(self, photo: Path, names: tuple[str, str], *, longest: int) -> tuple[Image.Image, Image.Image]:
        """Draw what speaks for the first taxon rather than the second in a photo, and for the second rather than it.

        Args:
            photo: the file.
            names: two taxa of the bundle.
            longest: longer side of the pictures in pixels.

        Raises:
            ImageError: the photo cannot be read.
        """
        prepared = prepare_file(photo, self.info.preprocessing)
        view = prepared.views[int(np.argmax(weights_of_views(self.network, prepared)))]
        one, other = (heat_of(self.network, view, self.info.taxonomy.names.index(name)) for name in names)
        difference = one - other
        hottest = float(np.abs(difference).max()) or 1.0
        return _drawn(view, difference / hottest, longest), _drawn(view, -difference / hottest, longest)


def _drawn(view: NDArray[np.uint8], heat: NDArray[np.float32], longest: int) -> Image.Image:
    """Lay positive heat, at most 1, over a view."""
    strength = (_STRONGEST * np.maximum(heat, 0))[..., None]
    picture = Image.fromarray((view * (1 - strength) + _HOT * strength).astype(np.uint8))
    picture.thumbnail((longest, longest))
    return picture
