"""Prepared views on disk: each image is opened and brought to size once per job, not once per epoch.

A herbarium sheet of 24 million pixels takes a tenth of a second and more to decode; its prepared view is read in less
than a thousandth. One file per image, ``<folder>/<settings>/<image_id>.npy``, holds the pixels without loss, so that
training sees exactly what identification will see. Files of other settings are left alone; the folder may be deleted.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from leafid.errors import ImageError, RunError
from leafid.files import written_atomically
from leafid.jobs import Preprocessing
from leafid.progress import OnProgress
from leafid.sheets.prepare import prepare_file

PREPARATION = 1
"""Rises when the same settings give other pixels than before, so that stale views are not taken for new ones."""


class ViewStore:
    """The prepared views of one preprocessing."""

    def __init__(self, folder: Path, preprocessing: Preprocessing) -> None:
        settings = f"{PREPARATION} {preprocessing.model_dump_json()}"
        self.preprocessing = preprocessing
        self.folder = folder / hashlib.sha256(settings.encode()).hexdigest()[:12]

    def path(self, image_id: str) -> Path:
        """Return the file of an image's view."""
        plain = re.fullmatch(r"[\w-]{1,100}", image_id, re.ASCII)
        return self.folder / f"{image_id if plain else hashlib.sha256(image_id.encode()).hexdigest()}.npy"

    def read(self, image_id: str) -> NDArray[np.uint8]:
        """Read a view (S, S, 3).

        Raises:
            RunError: the file has gone or is damaged.
        """
        path = self.path(image_id)
        try:
            view: NDArray[np.uint8] = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise RunError(
                f"The prepared view {path} of image {image_id} cannot be read ({error}). "
                f"Delete {self.folder} and call the command again with --resume."
            ) from None
        return view

    def write(self, image_id: str, view: NDArray[np.uint8]) -> None:
        """Write a view; a reader sees all of it or none."""
        with written_atomically(self.path(image_id)) as temporary, temporary.open("wb") as opened:
            np.save(opened, view, allow_pickle=False)

    def fill(
        self, image_ids: Sequence[str], paths: Sequence[Path], *, workers: int, on_progress: OnProgress | None = None
    ) -> None:
        """Prepare the images whose view is not there yet, in worker processes.

        Raises:
            RunError: images cannot be read; all of them are listed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        there = {path.name for path in self.folder.glob("*.npy")}
        missing = [
            (image_id, path)
            for image_id, path in zip(image_ids, paths, strict=True)
            if self.path(image_id).name not in there
        ]
        loader = DataLoader(_Filling(self, missing), batch_size=None, num_workers=min(workers, len(missing)))
        failures: list[str] = []
        for done, failure in enumerate(loader, start=1):
            failures += [failure] if failure else []
            if on_progress:
                on_progress(done, len(missing))
        if failures:
            raise RunError(_listed(failures))


class _Filling(Dataset[str]):
    """Preparing as a data set, so that torch's worker processes do it; an item is a failure's text, or empty."""

    def __init__(self, store: ViewStore, missing: Sequence[tuple[str, Path]]) -> None:
        self.store = store
        self.missing = missing

    def __len__(self) -> int:
        return len(self.missing)

    def __getitem__(self, index: int) -> str:
        image_id, path = self.missing[index]
        try:
            self.store.write(image_id, prepare_file(path, self.store.preprocessing).view)
        except ImageError as error:
            return f"{path}: {error}"
        return ""


def _listed(failures: Sequence[str]) -> str:
    shown = [f"  {failure}" for failure in failures[:20]]
    if len(failures) > 20:
        shown.append(f"  ... and {len(failures) - 20} more")
    count = "1 image" if len(failures) == 1 else f"{len(failures)} images"
    return "\n".join(
        [f"{count} of the catalog cannot be read:", *shown, "Mend the files, or call `leafid collect` again."]
    )
