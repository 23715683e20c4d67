"""Section ``sheets``: what the network sees of an image. The very same object travels in the bundle as its preprocessing."""

from typing import Annotated, Literal

from pydantic import Field

from leafid.jobs.section import Section


class Preprocessing(Section):
    """From an image of any size to what the network sees; stored in the bundle, so that identification repeats it exactly."""

    view: Literal["whole"] = "whole"
    """``whole``: the whole image."""
    size: Annotated[int, Field(ge=32, le=1024)] = 224
    """Side of the square that the network sees, in pixels."""
    fit: Literal["pad", "squash", "crop"] = "pad"
    """How an oblong image becomes a square: ``pad`` keeps all of it and its proportions, ``squash`` keeps all of it,
    ``crop`` keeps its proportions and the middle."""
