"""The stored views of a run's known images, to look at without preparing any image a second time."""

from collections.abc import Container, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leafid.learning.data.augmentation import margin
from leafid.learning.data.prepare import strength_for
from leafid.learning.data.view_store import Views
from leafid.learning.run import Run
from leafid.learning.run_samples import split_samples

PARTS: tuple[Literal["train", "val"], ...] = ("train", "val")


def inference_views(run: Run) -> Iterator[Views]:
    """Yield the views of the val images, and of the train images unless they are stored larger to be augmented.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    for part in PARTS:
        if margin(strength_for(run.job, part)) == 1:
            samples = split_samples(run, part, drawn=None)
            for place in range(len(samples)):
                yield samples[place].views


def first_views(run: Run, image_ids: Container[str]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield the first view (S, S, 3) of those train and val images that are among ``image_ids``, with their ids.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    for part in PARTS:
        samples = split_samples(run, part, drawn=None)
        for image_id in samples.image_ids:
            if image_id in image_ids:
                yield image_id, samples.store.read(image_id, lambda kinds: [0]).pixels[0]
