"""Writing drawings to disk: images, truth as plain values, several processes in a fixed order."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from leafid.demo.outline import Points
from leafid.destinations import Destination, check_destinations, contains_only, has_header
from leafid.errors import OutputError

T = TypeVar("T")

PNG_OPTIONS = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]


def make_folders(out: Path, folders: Iterable[str], what: str) -> None:
    """Make folders of `out`; `what` names in the error what cannot be written.

    Raises:
        OutputError: a folder cannot be made, or `out` has other files than drawings.
    """
    check_destinations([Destination("OUT", out, _has_drawings, "folder")], existing="replace")
    try:
        for folder in folders:
            (out / folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{what} cannot be written to {out}: {error.strerror}.") from error


def _has_drawings(out: Path) -> bool:
    """Whether a folder has drawings of leafid alone, and their table."""
    tables = [path for path in (out / "sheets.csv", out / "photographs.csv") if path.is_file()]
    known = contains_only(r"sheets\.csv", r"photographs\.csv", "images", "truth")(out)
    return known and bool(tables) and all(has_header(["path"], begins=True)(path) for path in tables)


def write_image(path: Path, pixels: npt.NDArray[np.uint8], options: list[int]) -> None:
    """Write an image (BGR or one channel) in the format of its suffix.

    Raises:
        OutputError: the file cannot be written.
    """
    _, data = cv2.imencode(path.suffix, np.ascontiguousarray(pixels), options)
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from None


def in_order(draw: Callable[[int], T], count: int, workers: int) -> Iterator[T]:
    """Yield `draw(0)` to `draw(count - 1)` in order, drawn by `workers` processes; 1 draws in this one."""
    if workers == 1:
        yield from map(draw, range(count))
        return
    # spawn: forking a process in which torch or OpenCV threads run can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(draw, range(count), chunksize=2)


def rounded(values: Points) -> list[Any]:
    """Return coordinates as lists, to a tenth."""
    return list(np.round(values, 1).tolist())
