"""Find near-duplicates: copies of an image in another size, compression or brightness, and repeated photos.

Each image is hashed to 256 bits by the low frequencies of its brightness (``imagehash.phash`` with ``hash_size`` 16).
Two images are near-duplicates if at most ``MAX_DISTANCE`` bits differ.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.catalog import image_paths
from leafid.curation.conflicts import image_content_ids
from leafid.errors import ImageError
from leafid.images import guard_image, open_image
from leafid.jobs import Job
from leafid.progress import OnProgress
from leafid.tables import TableError, read_frame, write_table

if TYPE_CHECKING:
    import pandas as pd

HASH_BITS = 256
MAX_DISTANCE = 24
"""Hamming distance in bits: above that of copies with another size, compression, colour or brightness, and below that
of different plants photographed in the same way. Cropped copies are mostly not found. See docs/results.md."""
HASHED_SIDE = 128
"""Shorter side, in pixels, at which images are decoded for hashing."""
NEAR_DUPLICATE_COLUMNS = ("image_id", "other_image_id", "distance")
"""Columns of ``near_duplicates.csv``, beside the catalog; ``distance`` in bits."""


@dataclass(frozen=True)
class PerceptualHashes:
    """Perceptual hashes: ``bits`` of shape ``(images, 4)`` as 64-bit words, for the images ``ids``."""

    ids: tuple[str, ...]
    bits: NDArray[np.uint64]


def perceptual_hashes(
    catalog: "pd.DataFrame", catalog_path: Path, *, on_progress: OnProgress | None = None
) -> tuple[PerceptualHashes, dict[str, str]]:
    """Hash every image of a catalog, equal files once, and cache the hashes in ``perceptual_hashes.csv`` beside it.

    Returns:
        The hashes, and the reason for each path of an image that can no longer be read.
    """
    cache = catalog_path.with_name("perceptual_hashes.csv")
    known = _read_cache(cache)
    content_ids = image_content_ids(catalog)
    first = ~content_ids.duplicated()
    missing = [
        (content, path)
        for content, path, is_first in zip(content_ids, image_paths(catalog, catalog_path), first, strict=True)
        if is_first and content not in known
    ]
    unreadable: dict[str, str] = {}
    with ThreadPoolExecutor() as pool:
        results = pool.map(_hash_or_error, [path for _, path in missing])
        for done, ((content, path), result) in enumerate(zip(missing, results, strict=True), start=1):
            if isinstance(result, ImageError):
                unreadable[str(path)] = str(result)
            else:
                known[content] = result
            if on_progress:
                on_progress(done, len(missing))
    present = [content for content in content_ids[first] if content in known]
    if missing:
        _write_cache(cache, {content: known[content] for content in present})
    words = b"".join(bytes.fromhex(known[content]) for content in present)
    return PerceptualHashes(
        tuple(present), np.frombuffer(words, dtype=">u8").astype(np.uint64).reshape(-1, HASH_BITS // 64)
    ), unreadable


def near_duplicate_pairs(hashes: PerceptualHashes, *, max_distance: int = MAX_DISTANCE) -> list[tuple[str, str, int]]:
    """Find all pairs of images whose hashes differ in at most ``max_distance`` bits, nearest first.

    Every pair is compared, by half the bits first: that distance is a lower bound and excludes most pairs.
    """
    bits = hashes.bits
    pairs: list[tuple[str, str, int]] = []
    for start in range(0, len(bits), 512):
        block, others = bits[start : start + 512], bits[start:]
        half = _hamming_distances(block[:, :2], others[:, :2])
        rows, columns = np.nonzero(half <= max_distance)
        later = columns > rows
        rows, columns = rows[later], columns[later]
        distances = np.bitwise_count(block[rows] ^ others[columns]).sum(axis=1, dtype=np.int64)
        pairs += [
            (hashes.ids[start + row], hashes.ids[start + column], int(distance))
            for row, column, distance in zip(rows, columns, distances, strict=True)
            if distance <= max_distance
        ]
    return sorted(pairs, key=lambda pair: (pair[2], pair[0], pair[1]))


def near_duplicates_of(job: Job) -> list[tuple[str, str]]:
    """Return the pairs that must not be in different splits; none if the job allows near-duplicates to cross."""
    path = job.catalog_path.with_name("near_duplicates.csv")
    if job.curation.near_duplicates == "allow" or not path.is_file():
        return []
    pairs = read_frame(path)
    return list(zip(pairs["image_id"], pairs["other_image_id"], strict=True))


def write_near_duplicates(pairs: Sequence[tuple[str, str, int]], path: Path) -> None:
    """Write ``near_duplicates.csv``. Without pairs it contains the header alone."""
    _write_rows(path, NEAR_DUPLICATE_COLUMNS, pairs)


def _hamming_distances(block: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the Hamming distance of each row of ``block`` to each of ``others``, shape ``(block, others)``."""
    total = np.zeros((len(block), len(others)), dtype=np.uint8)
    for word in range(block.shape[1]):
        total += np.bitwise_count(block[:, word, None] ^ others[None, :, word])
    return total


def _hash_or_error(path: Path) -> str | ImageError:
    """Return the hash in hexadecimal, or the error if the file cannot be read."""
    import imagehash

    try:
        with guard_image(path):
            hashed = imagehash.phash(open_image(path, needed_side=HASHED_SIDE).rgb, hash_size=16).hash
    except ImageError as error:
        return error
    return np.packbits(hashed).tobytes().hex()


def _read_cache(path: Path) -> dict[str, str]:
    try:
        rows = read_frame(path).fillna("") if path.is_file() else None
    except TableError:
        return {}  # a cache: damaged, it is made anew
    if rows is None or list(rows.columns) != ["image_id", "hash"]:
        return {}
    return {
        stem: text for stem, text in zip(rows["image_id"], rows["hash"], strict=True) if len(text) == HASH_BITS // 4
    }


def _write_cache(path: Path, hashes: Mapping[str, str]) -> None:
    _write_rows(path, ("image_id", "hash"), list(hashes.items()))


def _write_rows(path: Path, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    write_table(path, columns, rows)
