"""Section ``curation``: which images are kept, and which are for training, validation and test."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from leafid.jobs.section import Section


class SplitSettings(Section):
    """How gatherings are divided into train, val and test."""

    by: Literal["gathering", "column"] = "gathering"
    """``gathering``: whole gatherings are drawn, stratified by taxon. ``column``: the catalog's ``split`` column is taken as it is;
    rows with another value than train, val or test are not used."""
    val: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    """Share of the gatherings of each taxon for validation (with ``by: gathering``)."""
    test: Annotated[float, Field(ge=0, lt=0.5)] = 0.15
    """Share of the gatherings of each taxon for the test (with ``by: gathering``)."""

    @model_validator(mode="after")
    def _leaves_images_to_train_on(self) -> Self:
        if self.val + self.test > 0.8:
            raise ValueError(
                f"val + test is {self.val + self.test:g}; at most 0.8, so that images are left to train on"
            )
        return self


class CurationSettings(Section):
    """What happens between the catalog and the network."""

    split: SplitSettings = SplitSettings()
    """How gatherings are divided into train, val and test."""
