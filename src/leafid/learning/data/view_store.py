"""Prepared views on disk: each image is decoded and cropped once per job, not once per epoch.

Decoding and cropping a herbarium sheet takes much longer than reading a prepared view. One file per image,
``<folder>/<settings>/<image_id>.zip``, stores its views losslessly, so that training sees exactly the pixels that
identification will see; ``image_id`` is a hash of the image's bytes. The folder may be deleted.

Lossless WebP in its fastest mode is smaller and read faster than PNG (docs/results.md).
"""

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from leafid.errors import ImageError, RunError
from leafid.files import written_atomically
from leafid.jobs import Preprocessing
from leafid.progress import OnProgress
from leafid.sheets import CropKind, PreparedImage, prepare_file

PREPARATION_VERSION = 4
"""Increased when the same settings give other pixels than before, so that old views are not reused."""


ChooseViews = Callable[[Sequence[CropKind]], Sequence[int]]
"""Called with what each view of an image shows; returns the indices of the wanted views."""


class Views(NamedTuple):
    """Views of an image: pixels (S, S, 3) of each, uint8, RGB, and what it shows."""

    pixels: list[NDArray[np.uint8]]
    kinds: list[CropKind]


class ViewStore:
    """The prepared views of one preprocessing.

    Args:
        folder: of all stores; each preprocessing and enlargement has a folder of its own in it.
        preprocessing: which views, and how.
        enlarged: factor by which the views are larger than in identification.
    """

    def __init__(self, folder: Path, preprocessing: Preprocessing, *, enlarged: float = 1.0) -> None:
        self.preprocessing = preprocessing
        self.enlarged = enlarged
        settings = f"{PREPARATION_VERSION} {enlarged} {preprocessing.model_dump_json(exclude={'max_pixels'})}"
        self.folder = folder / hashlib.sha256(settings.encode()).hexdigest()[:12]

    def path(self, image_id: str) -> Path:
        """Return the file with an image's views."""
        plain = re.fullmatch(r"[\w-]{1,100}", image_id, re.ASCII)
        return self.folder / f"{image_id if plain else hashlib.sha256(image_id.encode()).hexdigest()}.zip"

    def read(self, image_id: str, choose: ChooseViews | None = None) -> Views:
        """Read views of an image.

        Args:
            image_id: the image.
            choose: selects the views; None: all.

        Raises:
            RunError: the file is missing or damaged.
        """
        path = self.path(image_id)
        try:
            with zipfile.ZipFile(path) as archive:
                names = sorted(archive.namelist())
                kinds = [CropKind(name.removesuffix(".webp").partition("-")[2]) for name in names]
                wanted = range(len(names)) if choose is None else choose(kinds)
                return Views([_pixels(archive, names[index]) for index in wanted], [kinds[index] for index in wanted])
        except (OSError, ValueError, IndexError, zipfile.BadZipFile) as error:
            raise RunError(
                f"The prepared views {path} of image {image_id} cannot be read ({error}). "
                f"Delete {self.folder} and run the command again with --resume."
            ) from None

    def write(self, image_id: str, prepared: PreparedImage) -> None:
        """Write the views of an image, all at once: a reader sees all of them or none."""
        path = self.path(image_id)
        with written_atomically(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for number, (pixels, kind) in enumerate(zip(prepared.views, prepared.kinds, strict=True)):
                content = io.BytesIO()
                Image.fromarray(pixels).save(content, format="WEBP", lossless=True, quality=0, method=0)
                archive.writestr(f"{number:02d}-{kind}.webp", content.getvalue())

    def missing(self, image_ids: Sequence[str]) -> set[str]:
        """Return the images whose views are not stored."""
        stored = {path.name for path in self.folder.glob("*.zip")}
        return {image_id for image_id in image_ids if self.path(image_id).name not in stored}

    def fill(
        self, image_ids: Sequence[str], paths: Sequence[Path], *, workers: int, on_progress: OnProgress | None = None
    ) -> int:
        """Prepare the images whose views are missing, in worker processes; return how many they were.

        Raises:
            RunError: images cannot be read; all of them are listed. The views of the others are stored.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        wanted = self.missing(image_ids)
        missing = [(each, path) for each, path in dict(zip(image_ids, paths, strict=True)).items() if each in wanted]
        loader = DataLoader(_Preparation(self, missing), batch_size=None, num_workers=min(workers, len(missing)))
        failures: list[str] = []
        for done, failure in enumerate(loader, start=1):
            failures += [failure] if failure else []
            if on_progress:
                on_progress(done, len(missing))
        if failures:
            raise RunError(_listed(failures))
        return len(missing)


class _Preparation(Dataset[str]):
    """A data set whose items are prepared when read, by torch's workers; an item is an error message, or empty."""

    def __init__(self, store: ViewStore, missing: Sequence[tuple[str, Path]]) -> None:
        self.store = store
        self.missing = missing

    def __len__(self) -> int:
        return len(self.missing)

    def __getitem__(self, index: int) -> str:
        image_id, path = self.missing[index]
        try:
            self.store.write(image_id, prepare_file(path, self.store.preprocessing, enlarged=self.store.enlarged))
        except ImageError as error:
            return f"{path}: {error}"
        return ""


def _pixels(archive: zipfile.ZipFile, name: str) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(archive.read(name)), formats=("WEBP",)) as image:
        return np.asarray(image.convert("RGB"), dtype=np.uint8)


def _listed(failures: Sequence[str]) -> str:
    shown = [f"  {failure}" for failure in failures[:20]]
    if len(failures) > 20:
        shown.append(f"  ... and {len(failures) - 20} more")
    count = "1 image" if len(failures) == 1 else f"{len(failures)} images"
    return "\n".join(
        [f"{count} of the catalog cannot be read:", *shown, "Repair the files, or run `leafid collect` again."]
    )
