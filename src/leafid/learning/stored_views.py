"""The views of a run's images as identification would see them, without preparing any image a second time."""

from collections.abc import Iterator
from typing import Literal

from leafid.learning.augmentation import margin
from leafid.learning.prepared import Views
from leafid.learning.preparing import strength_for
from leafid.learning.run import Run
from leafid.learning.run_images import samples_of

PARTS: tuple[Literal["train", "val"], ...] = ("train", "val")


def views_as_identified(run: Run) -> Iterator[Views]:
    """Yield the views of the val images, and of the train images unless they are stored larger to be augmented.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    for part in PARTS:
        if margin(strength_for(run.job, part)) == 1:
            samples = samples_of(run, part, drawn=None)
            for place in range(len(samples)):
                yield samples[place].views
