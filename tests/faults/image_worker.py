"""Opens and prepares mutated files one after the other, and reports each on standard output.

    python -m tests.faults.image_worker SEED FIRST LAST FOLDER

Two lines per file: its number when it begins; then its number, the CPU seconds, the memory peak of this process in
megabytes, and the outcome: ``image``, the reason of an ``ImageError``, or a traceback.
"""

import json
import sys
import time
import traceback
import warnings
from pathlib import Path

from leafid.errors import FailureReason, ImageError
from leafid.images import open_image
from leafid.jobs import Preprocessing, ViewCounts
from leafid.pages import page_path, pages_of_file
from leafid.sheets import prepare
from leafid.sheets.preparation import open_for_views
from tests.faults.figures import memory_mb
from tests.faults.image_seeds import extension, mutated_image

_MAX_PAGES = 3  # opened of a file
_VIEWS = Preprocessing(size=32, views=ViewCounts(image=1, plant=1, leaves=1, tiles=1))


def outcome(path: Path) -> str:
    """Open every page of a file as it is, and prepare its views."""
    pages = pages_of_file(path)
    named = [path] if pages == 1 else [Path(page_path(path, page)) for page in range(1, min(pages, _MAX_PAGES) + 1)]
    reason = "image"
    for one in named:
        try:
            open_image(one, needed_side=32)
            prepare(open_for_views(one, _VIEWS), _VIEWS)
        except ImageError as error:
            assert str(error) == f"{error.reason}: {error.detail}" and error.detail.strip(), repr(error)
            if error.reason is FailureReason.NOT_PROCESSED:
                raise
            reason = error.reason
    return reason


def main(seed: int, first: int, last: int, folder: Path) -> None:
    """Report the files of the numbers from ``first`` to ``last``, without the latter."""
    warnings.simplefilter("ignore")
    for number in range(first, last):
        kind, content = mutated_image(number, seed)
        path = folder / f"{number}{extension(kind)}"
        path.write_bytes(content)
        print(json.dumps([number]), flush=True)
        started = time.process_time()
        try:
            found = outcome(path)
        except Exception:
            found = f"{kind}: {traceback.format_exc()}"
        seconds = time.process_time() - started
        path.unlink()
        print(json.dumps([number, seconds, memory_mb("VmHWM"), found]), flush=True)


if __name__ == "__main__":
    seed, first, last = map(int, sys.argv[1:4])
    main(seed, first, last, Path(sys.argv[4]))
