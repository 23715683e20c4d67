"""Section ``sweep``: a search over settings (hyperparameters)."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from leafid.jobs.section import Section

Value = bool | int | float | str


class Range(Section):
    """A range of numbers, both ends included."""

    low: float
    """The smallest."""
    high: float
    """The largest."""
    scale: Literal["linear", "log"] = "linear"
    """``log``: on a logarithmic scale, as many trials between 0.001 and 0.01 as between 0.01 and 0.1."""
    whole: bool = False
    """Whole numbers only."""

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be less than high ({self.high:g})")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"scale: log needs low above 0, not {self.low:g}")
        return self


class SweepSettings(Section):
    """A search for good settings by macro-F1 on val; ``leafid sweep`` runs it."""

    trials: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Number of combinations to try. A space of lists with fewer combinations has a trial for each."""
    space: Annotated[dict[str, Range | Annotated[list[Value], Field(min_length=2)]], Field(min_length=1)]
    """Settings, named as with ``--set`` (``training.learning_rate``), each with a list of values or a range such as
    ``{low: 1e-4, high: 1e-2, scale: log}``."""
