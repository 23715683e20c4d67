"""Pictures that are the same to the eye: the same scan in another size, compression or brightness, or shot twice.

Each image is hashed to 256 bits by the low frequencies of its brightness (``imagehash.phash`` with ``hash_size`` 16);
two images are near-duplicates where at most ``MAX_DISTANCE`` bits differ.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.catalog import image_paths
from leafid.curation.conflicts import image_stems
from leafid.errors import ImageError
from leafid.files import written_atomically
from leafid.images import open_image
from leafid.jobs import Job
from leafid.progress import OnProgress

if TYPE_CHECKING:
    import pandas as pd

HASH_BITS = 256
MAX_DISTANCE = 24
"""Bits. Of 80 herbarium sheets and leaf photos, copies of half or a quarter of the size, JPEG quality 50, stronger
colour and grey stay within 12, gamma 0.7 within 16, 1.3-fold brightness within 22, a turn by one degree mostly in 26;
images of different plants begin at 34 (leaves photographed alike on one table) and at 56 (herbarium sheets). A crop by
2 % gives up to 52 and is not found."""
HASHED_SIDE = 128
"""Shorter side, in pixels, at which images are decoded for hashing."""
NEAR_DUPLICATE_COLUMNS = ("image_id", "other_image_id", "distance")
"""Columns of ``near_duplicates.csv``, beside the catalog; ``distance`` in bits."""


@dataclass(frozen=True)
class Hashes:
    """Perceptual hashes: ``bits`` of shape ``(images, 4)`` as 64-bit words, for the images ``ids``."""

    ids: tuple[str, ...]
    bits: NDArray[np.uint64]


def perceptual_hashes(
    catalog: "pd.DataFrame", catalog_path: Path, *, on_progress: OnProgress | None = None
) -> tuple[Hashes, dict[str, str]]:
    """Hash every image of a catalog once per content; answers are kept in ``perceptual_hashes.csv`` beside the catalog.

    Returns:
        The hashes, and for each image that can no longer be read its path and why.
    """
    cache = catalog_path.with_name("perceptual_hashes.csv")
    known = _read_cache(cache)
    stems = image_stems(catalog)
    first = ~stems.duplicated()
    todo = [
        (stem, path)
        for stem, path, wanted in zip(stems, image_paths(catalog, catalog_path), first, strict=True)
        if wanted and stem not in known
    ]
    unread: dict[str, str] = {}
    with ThreadPoolExecutor() as pool:
        answers = pool.map(_hash_or_reason, [path for _, path in todo])
        for done, ((stem, path), answer) in enumerate(zip(todo, answers, strict=True), start=1):
            if isinstance(answer, ImageError):
                unread[str(path)] = str(answer)
            else:
                known[stem] = answer
            if on_progress:
                on_progress(done, len(todo))
    present = [stem for stem in stems[first] if stem in known]
    if todo:
        _write_cache(cache, {stem: known[stem] for stem in present})
    words = b"".join(bytes.fromhex(known[stem]) for stem in present)
    return Hashes(
        tuple(present), np.frombuffer(words, dtype=">u8").astype(np.uint64).reshape(-1, HASH_BITS // 64)
    ), unread


def near_pairs(hashes: Hashes, *, max_distance: int = MAX_DISTANCE) -> list[tuple[str, str, int]]:
    """Find all pairs of images whose hashes differ in at most ``max_distance`` bits, nearest first.

    Every pair is compared, half the hash first: two minutes for 100,000 images on one core, far less than reading them.
    """
    bits = hashes.bits
    found: list[tuple[str, str, int]] = []
    for start in range(0, len(bits), 512):
        block, others = bits[start : start + 512], bits[start:]
        half = _differing(block[:, :2], others[:, :2])
        rows, columns = np.nonzero(half <= max_distance)
        later = columns > rows
        rows, columns = rows[later], columns[later]
        distances = np.bitwise_count(block[rows] ^ others[columns]).sum(axis=1, dtype=np.int64)
        found += [
            (hashes.ids[start + row], hashes.ids[start + column], int(distance))
            for row, column, distance in zip(rows, columns, distances, strict=True)
            if distance <= max_distance
        ]
    return sorted(found, key=lambda pair: (pair[2], pair[0], pair[1]))


def near_duplicates_of(job: Job) -> list[tuple[str, str]]:
    """Return the pairs that ``check_split`` must not find in different splits; none where the job lets them cross."""
    import pandas as pd

    path = job.catalog_path.with_name("near_duplicates.csv")
    if job.curation.near_duplicates == "allow" or not path.is_file():
        return []
    pairs = pd.read_csv(path, dtype=str)
    return list(zip(pairs["image_id"], pairs["other_image_id"], strict=True))


def write_near_duplicates(pairs: Sequence[tuple[str, str, int]], path: Path) -> None:
    """Write ``near_duplicates.csv``, with its header even when there are none."""
    _write_rows(path, NEAR_DUPLICATE_COLUMNS, pairs)


def _differing(block: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Number of differing bits of each row of ``block`` and each of ``others``: shape ``(block, others)``."""
    total = np.zeros((len(block), len(others)), dtype=np.uint8)
    for word in range(block.shape[1]):
        total += np.bitwise_count(block[:, word, None] ^ others[None, :, word])
    return total


def _hash_or_reason(path: Path) -> str | ImageError:
    """The hash in hexadecimal, or why the file cannot be read."""
    import imagehash

    try:
        image = open_image(path, needed_side=HASHED_SIDE).rgb
    except ImageError as error:
        return error
    hashed = imagehash.phash(image, hash_size=16).hash
    return np.packbits(hashed).tobytes().hex()


def _read_cache(path: Path) -> dict[str, str]:
    import pandas as pd

    if not path.is_file():
        return {}
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    if list(rows.columns) != ["image_id", "hash"]:
        return {}
    return {
        stem: text for stem, text in zip(rows["image_id"], rows["hash"], strict=True) if len(text) == HASH_BITS // 4
    }


def _write_cache(path: Path, hashes: Mapping[str, str]) -> None:
    _write_rows(path, ("image_id", "hash"), list(hashes.items()))


def _write_rows(path: Path, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    import pandas as pd

    with written_atomically(path) as temporary:
        pd.DataFrame(rows, columns=list(columns)).to_csv(temporary, index=False, lineterminator="\n")
