"""Prepared views on disk: each image is opened and cut up once per job, not once per epoch.

A herbarium sheet of 24 million pixels takes half a second and more to decode and to cut up; a prepared view is read in
one to three thousandths. One file per image, ``<folder>/<settings>/<image_id>.zip``, holds its views without loss, so
that training sees exactly what identification will see; ``image_id`` comes from the image's bytes. The folder may be
deleted.

Lossless WebP in its fastest mode is the smallest exact form that is read fast. Measured on 35 views of 258 pixels, per
view: 46 kB and 2.7 ms to read; PNG 61 kB and 5.0 ms; JPEG of quality 95, not exact, 21 kB and 1.8 ms; bare 200 kB.
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

PREPARATION = 4
"""Rises when the same settings give other pixels than before, so that stale views are not taken for new ones."""


Choose = Callable[[Sequence[CropKind]], Sequence[int]]


class Views(NamedTuple):
    """Views of an image: pixels (S, S, 3), uint8, RGB, and what each shows."""

    pixels: list[NDArray[np.uint8]]
    kinds: list[CropKind]


class ViewStore:
    """The prepared views of one preprocessing.

    Args:
        folder: where stores lie; each preprocessing and enlargement has its own folder in it.
        preprocessing: which views, and how.
        enlarged: the views are larger by this than identification sees them.
    """

    def __init__(self, folder: Path, preprocessing: Preprocessing, *, enlarged: float = 1.0) -> None:
        self.preprocessing = preprocessing
        self.enlarged = enlarged
        settings = f"{PREPARATION} {enlarged} {preprocessing.model_dump_json(exclude={'max_pixels'})}"
        self.folder = folder / hashlib.sha256(settings.encode()).hexdigest()[:12]

    def path(self, image_id: str) -> Path:
        """Return the file of an image's views."""
        plain = re.fullmatch(r"[\w-]{1,100}", image_id, re.ASCII)
        return self.folder / f"{image_id if plain else hashlib.sha256(image_id.encode()).hexdigest()}.zip"

    def read(self, image_id: str, choose: Choose | None = None) -> Views:
        """Read views of an image.

        Args:
            image_id: the image.
            choose: returns the numbers of the views that are wanted, given what each of them shows; None: all.

        Raises:
            RunError: the file has gone or is damaged.
        """
        path = self.path(image_id)
        try:
            with zipfile.ZipFile(path) as archive:
                names = sorted(archive.namelist())
                kinds = [CropKind(name.removesuffix(".webp").partition("-")[2]) for name in names]
                wanted = range(len(names)) if choose is None else choose(kinds)
                return Views(
                    [_pixels(archive, names[number]) for number in wanted], [kinds[number] for number in wanted]
                )
        except (OSError, ValueError, IndexError, zipfile.BadZipFile) as error:
            raise RunError(
                f"The prepared views {path} of image {image_id} cannot be read ({error}). "
                f"Delete {self.folder} and call the command again with --resume."
            ) from None

    def write(self, image_id: str, prepared: PreparedImage) -> None:
        """Write the views of an image; a reader sees all of them or none."""
        path = self.path(image_id)
        with written_atomically(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for number, (pixels, kind) in enumerate(zip(prepared.views, prepared.kinds, strict=True)):
                content = io.BytesIO()
                Image.fromarray(pixels).save(content, format="WEBP", lossless=True, quality=0, method=0)
                archive.writestr(f"{number:02d}-{kind}.webp", content.getvalue())

    def missing(self, image_ids: Sequence[str]) -> set[str]:
        """Return the images whose views are not there."""
        there = {path.name for path in self.folder.glob("*.zip")}
        return {image_id for image_id in image_ids if self.path(image_id).name not in there}

    def fill(
        self, image_ids: Sequence[str], paths: Sequence[Path], *, workers: int, on_progress: OnProgress | None = None
    ) -> int:
        """Prepare the images whose views are not there yet, in worker processes; return how many there were.

        Raises:
            RunError: images cannot be read; all of them are listed. The views of the others are there.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        wanted = self.missing(image_ids)
        missing = [(each, path) for each, path in dict(zip(image_ids, paths, strict=True)).items() if each in wanted]
        loader = DataLoader(_Filling(self, missing), batch_size=None, num_workers=min(workers, len(missing)))
        failures: list[str] = []
        for done, failure in enumerate(loader, start=1):
            failures += [failure] if failure else []
            if on_progress:
                on_progress(done, len(missing))
        if failures:
            raise RunError(_listed(failures))
        return len(missing)


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
        [f"{count} of the catalog cannot be read:", *shown, "Mend the files, or call `leafid collect` again."]
    )
