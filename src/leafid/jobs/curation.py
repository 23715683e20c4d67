"""Section ``curation``: which images are kept, and which are for training, validation and test."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from leafid.jobs.section import Section


class SplitSettings(Section):
    """How gatherings are divided into train, val and test."""

    by: Literal["gathering", "institution", "column"] = "gathering"
    """``gathering``: whole gatherings are drawn, stratified by taxon. ``institution``: the herbaria in ``test_values``
    are the test. ``column``: the catalog's column ``column`` decides."""
    column: Annotated[str, Field(min_length=1)] = "split"
    """With ``by: column``: this column of the catalog. Without ``test_values`` it says train, val or test itself; rows
    with another value are not used."""
    test_values: tuple[str, ...] = ()
    """Values of the column (or institution codes) that make up the test; all others train and validate."""
    val_values: tuple[str, ...] = ()
    """Values of the column (or institution codes) for validation; without any, gatherings are drawn from those that are
    not in the test."""
    val: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    """Share of the gatherings of each taxon for validation, where gatherings are drawn."""
    test: Annotated[float, Field(ge=0, lt=0.5)] = 0.15
    """Share of the gatherings of each taxon for the test (with ``by: gathering``)."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.val + self.test > 0.8:
            raise ValueError(
                f"val + test is {self.val + self.test:g}; at most 0.8, so that images are left to train on"
            )
        if self.by == "institution" and not self.test_values:
            raise ValueError("by: institution needs test_values, the codes of the herbaria to test on")
        if self.by == "gathering" and (self.test_values or self.val_values or self.column != "split"):
            raise ValueError("column, test_values and val_values belong to by: column or by: institution")
        both = sorted({*self.test_values} & {*self.val_values})
        if both:
            raise ValueError(f"{', '.join(both)} stands in both test_values and val_values")
        if self.val_values and not self.test_values:
            raise ValueError("val_values needs test_values beside it")
        return self


class CurationSettings(Section):
    """What happens between the catalog and the network."""

    split: SplitSettings = SplitSettings()
    """How gatherings are divided into train, val and test."""
    conflicts: Literal["leave_out", "keep"] = "leave_out"
    """Gatherings under two names and images under two names: left out of training, or kept under the names they have.
    They are listed in ``conflicts.csv`` either way."""
    near_duplicates: Literal["refuse", "allow"] = "refuse"
    """``refuse``: no training when images that look the same lie in different splits. ``allow``: for catalogs whose
    splits are prescribed and whose neighbours are known to be alike, such as one photo after another of one tray; the
    pairs are still reported."""
