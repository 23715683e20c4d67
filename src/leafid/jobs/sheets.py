"""Section ``sheets``: what the network sees of an image; the same object is the preprocessing of the bundle."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from leafid.jobs.section import Section

UpToOne = Annotated[int, Field(ge=0, le=1)]
UpTo32 = Annotated[int, Field(ge=0, le=32)]


class ViewCounts(Section):
    """How many views of each kind the network sees of one image; an image that has fewer shows fewer.

    In training one of an image's views is drawn in each epoch; for an answer, those of all its views are averaged.
    """

    image: UpToOne = 0
    """The whole image."""
    plant: UpToOne = 0
    """The plant on it, without the rest of the sheet."""
    leaves: UpTo32 = 0
    """Single leaves, best first, apex up where the midrib is clear."""
    tiles: UpTo32 = 0
    """Squares of ``tile_side`` pixels inside the plant, those with most plant first."""
    veins: UpTo32 = 0
    """Vein maps of the best leaves: their veins dark on white, without colour and hairs, and without margin."""

    @model_validator(mode="after")
    def _is_something(self) -> Self:
        if self.total == 0:
            raise ValueError("the network must see something; ask for at least one view, such as image: 1")
        return self

    @property
    def total(self) -> int:
        """Views of an image that has as many as are asked for."""
        return self.image + self.plant + self.leaves + self.tiles + self.veins

    @property
    def of_plant(self) -> bool:
        """Whether any view shows what must first be found on the image."""
        return self.total > self.image


class Preprocessing(Section):
    """From an image of any size to what the network sees; stored in the bundle: identification repeats it exactly."""

    views: ViewCounts = ViewCounts(image=1)
    """Which parts of an image the network sees; by default the whole image and nothing else."""
    background: Literal["kept", "plain"] = "kept"
    """What lies around the plant or leaf in its view: ``kept`` as it is, or painted white (``plain``). The whole image
    always keeps it."""
    colour: Literal["kept", "grey"] = "kept"
    """Whether the network sees colours. Those of a pressed plant tell how it was dried and photographed, too."""
    size: Annotated[int, Field(ge=32, le=1024)] = 224
    """Side of the square that the network sees, in pixels."""
    overview_size: Annotated[int, Field(ge=32, le=2048)] | None = None
    """The same for views of a whole, the image and the plant, which have more to show; left out: ``size``."""
    fit: Literal["pad", "squash", "crop"] = "pad"
    """How an oblong view becomes a square: ``pad`` keeps all of it and its proportions, ``squash`` keeps all of it,
    ``crop`` keeps its proportions and the middle."""
    tile_side: Annotated[int, Field(ge=32, le=8192)] | None = None
    """Side of a tile in pixels of the original; left out: ``size``, so that tiles are seen as sharp as they are."""
    max_pixels: Annotated[int, Field(ge=10_000, le=2_000_000_000)] = 200_000_000
    """Images of more pixels are refused, as decompression bombs would be; the largest herbarium scans have 100 million.
    A pixel takes 3 bytes of memory and more."""
