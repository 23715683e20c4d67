"""Section ``sheets``: the views that the network sees of an image. The bundle stores the same object."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from leafid.jobs.section import Section

UpToOne = Annotated[int, Field(ge=0, le=1)]
UpTo32 = Annotated[int, Field(ge=0, le=32)]


class ViewCounts(Section):
    """How many views of each kind the network sees of one image, at most; an image may have fewer.

    A training step draws ``training.views_per_step`` of them. A prediction pools the features of all of them.
    """

    image: UpToOne = 0
    """The whole image."""
    plant: UpToOne = 0
    """The plant, cropped from the rest of the sheet."""
    leaves: UpTo32 = 0
    """Single leaves, best first, turned apex up where the midrib is clear."""
    tiles: UpTo32 = 0
    """Squares of ``tile_side`` pixels inside the plant, those with the largest share of plant first."""
    veins: UpTo32 = 0
    """Vein maps of the best leaves: dark veins on white, without colour, hairs and leaf margin."""

    @model_validator(mode="after")
    def _has_a_view(self) -> Self:
        if self.total == 0:
            raise ValueError("the network needs at least one view, such as image: 1")
        return self

    @property
    def total(self) -> int:
        """Largest number of views of an image."""
        return self.image + self.plant + self.leaves + self.tiles + self.veins

    @property
    def needs_segmentation(self) -> bool:
        """Whether any view needs the plant to be segmented first."""
        return self.total > self.image


class Preprocessing(Section):
    """How an image of any size becomes views; stored in the bundle, so that identification repeats it exactly."""

    views: ViewCounts = ViewCounts(image=1)
    """Which parts of an image the network sees; by default the whole image only."""
    background: Literal["kept", "plain"] = "kept"
    """Background around the plant or leaf in its view: ``kept`` as it is, or painted white (``plain``). The view of the
    whole image always keeps it."""
    colour: Literal["kept", "grey"] = "kept"
    """Whether the network sees colours. The colours of a pressed plant also depend on drying and photography."""
    size: Annotated[int, Field(ge=32, le=1024)] = 224
    """Side of the square that the network sees, in pixels."""
    overview_size: Annotated[int, Field(ge=32, le=2048)] | None = None
    """The same for overview views (the whole image, the whole plant), which contain more; by default ``size``."""
    orientation: Literal["kept", "upright"] = "kept"
    """Orientation of the view of the plant: as photographed (``kept``), or turned by quarter turns and mirrored
    (``upright``), so that the network sees the same however a photo of a single leaf is turned. Views of leaves are
    always turned apex up."""
    fit: Literal["pad", "squash", "crop"] = "pad"
    """How an oblong view becomes a square: ``pad`` adds white borders, ``squash`` changes the proportions, ``crop``
    keeps the middle."""
    tile_side: Annotated[int, Field(ge=32, le=8192)] | None = None
    """Side of a tile in pixels of the original image; by default ``size``, so that tiles keep their resolution."""
    reduced_side: Annotated[int, Field(ge=256, le=16384)] | None = None
    """Shorter side, in pixels, to which larger images are reduced before tiles are cut, so that a tile of a scan shows
    as much of the plant as one of the training images. Scans are also decoded several times faster. By default tiles
    keep the resolution of the file."""
    search_side: Annotated[int, Field(ge=256, le=2048)] = 1024
    """Longer side, in pixels, to which an image is reduced for the search for plant and leaves. A single leaf is found
    as well, and four times as fast, on 320; sheets with labels and writing need 1024."""
    max_pixels: Annotated[int, Field(ge=10_000, le=2_000_000_000)] = 200_000_000
    """Images with more pixels are refused, to protect against decompression bombs; the largest herbarium scans have
    100 million. A pixel takes at least 3 bytes of memory."""
