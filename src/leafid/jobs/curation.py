"""Section ``curation``: which images are used, and which are for training, validation and test."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from leafid.jobs.section import Section


class SplitSettings(Section):
    """How gatherings are split into train, val and test."""

    by: Literal["gathering", "institution", "column"] = "gathering"
    """``gathering``: draw whole gatherings, stratified by taxon and kind of image (``domain``). ``institution``: test
    on the herbaria in ``test_values``. ``column``: split by the catalog's column ``column``; with ``column: domain``
    and ``test_values: [field]``, train on sheets and test on photos of living plants."""
    column: Annotated[str, Field(min_length=1)] = "split"
    """With ``by: column``: the column of the catalog. Without ``test_values`` it must contain train, val or test; rows
    with other values are not used."""
    test_values: tuple[str, ...] = ()
    """Values of the column (or institution codes) of the test set; all others are for training and validation."""
    val_values: tuple[str, ...] = ()
    """Values of the column (or institution codes) of the validation set. Without any, gatherings are drawn from those
    outside the test set."""
    val: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    """Share of the gatherings of each taxon for validation, if gatherings are drawn."""
    test: Annotated[float, Field(ge=0, lt=0.5)] = 0.15
    """Share of the gatherings of each taxon for the test (with ``by: gathering``)."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.val + self.test > 0.8:
            raise ValueError(
                f"val + test is {self.val + self.test:g}; it must be at most 0.8, so that images remain for training"
            )
        if self.by == "institution" and not self.test_values:
            raise ValueError("by: institution needs test_values, the codes of the herbaria to test on")
        if self.by == "gathering" and (self.test_values or self.val_values or self.column != "split"):
            raise ValueError("column, test_values and val_values belong to by: column or by: institution")
        both = sorted({*self.test_values} & {*self.val_values})
        if both:
            raise ValueError(f"{', '.join(both)} is in both test_values and val_values")
        if self.val_values and not self.test_values:
            raise ValueError("val_values needs test_values as well")
        return self


class CurationSettings(Section):
    """How the catalog is prepared for training."""

    split: SplitSettings = SplitSettings()
    """How gatherings are split into train, val and test."""
    conflicts: Literal["leave_out", "keep"] = "leave_out"
    """Whether gatherings and images with two different names are left out of training or kept with their names. In both
    cases ``conflicts.csv`` lists them."""
    near_duplicates: Literal["refuse", "allow"] = "refuse"
    """``refuse``: do not train if images that look the same are in different splits. ``allow``: for catalogs with
    prescribed splits and similar images of different plants, such as a series of photos of trays; pairs are still
    reported."""
