"""Read the training images of a run again from their files, as identification does."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from leafid.errors import ImageError, RunError
from leafid.images import OpenedImage, guard_image
from leafid.progress import progress_bar

if TYPE_CHECKING:
    import pandas as pd

    from leafid.learning import Run

T = TypeVar("T")


def each_photo(run: "Run", rows: "pd.DataFrame", read: Callable[[OpenedImage], T], *, title: str) -> Iterator[T]:
    """Yield what a function returns for the image of each row of a run's split, in order.

    Args:
        run: the run.
        rows: of its split.
        read: called with each image, opened for the views of the run.
        title: of the progress bar.

    Raises:
        RunError: an image cannot be read.
    """
    from leafid.sheets import open_for_views

    with progress_bar(title) as on_progress:
        for done, path in enumerate(run.image_paths(rows), start=1):
            try:
                with guard_image(path):
                    result = read(open_for_views(path, run.job.sheets))
            except ImageError as error:
                raise RunError(f"{path}: {error}. Repair the file, or run `leafid collect` again.") from None
            yield result
            on_progress(done, len(rows))
