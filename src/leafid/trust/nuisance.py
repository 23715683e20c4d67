"""Nuisance attribute projection: directions in which features move when a photo, but not its plant, changes.

A photo that is turned, mirrored, of half the size or compressed anew shows the same plant. How its features move is
measured on copies of some training images, and Mahalanobis distances leave the main directions of these moves out: else
a photo near the limit of the OOD score is refused in one form and named in another. Source: Solomonoff, Campbell &
Boardman 2005, Advances in channel compensation for SVM speaker recognition, ICASSP. Figures are in docs/results.md.
"""

import io
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.images import OpenedImage
from leafid.trust.training_features import l2_normalise
from leafid.trust.training_photos import each_photo

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from leafid.learning import Network, Run
    from leafid.sheets import PreparedImage

DIRECTIONS = 32
"""Most directions left out."""

_MOVES = 3  # for each direction at least, so that it is more than the noise of one photo
_MOST_IMAGES = 64
_SHARE = 9  # of as many images one is copied, so that copies take less than half of the time that the images took
_WEBP_QUALITY = 80  # what messengers and web pages use


def photo_copies(image: OpenedImage, *, turned: bool) -> Iterator[OpenedImage]:
    """Yield copies of a decoded photo: of half the size, compressed as WebP, and if ``turned`` turned and mirrored."""
    half = (max(1, image.rgb.width // 2), max(1, image.rgb.height // 2))
    content = io.BytesIO()
    image.rgb.save(content, "WEBP", quality=_WEBP_QUALITY)
    yield replace(image, rgb=image.rgb.resize(half, Image.Resampling.LANCZOS))
    yield replace(image, rgb=Image.open(content).convert("RGB"))
    if turned:
        yield replace(image, rgb=image.rgb.transpose(Image.Transpose.ROTATE_180))
        yield replace(  # a quarter turn, mirrored
            image, rgb=image.rgb.transpose(Image.Transpose.TRANSPOSE), width=image.height, height=image.width
        )


def principal_directions(moves: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the main directions (F, K) of moves (M, F), orthonormal: a third of their number, at most `DIRECTIONS`."""
    kept = min(DIRECTIONS, math.ceil(len(moves) / _MOVES))
    _, sizes, directions = np.linalg.svd(np.asarray(moves, dtype=np.float64), full_matrices=False)
    return np.asarray(directions[:kept][sizes[:kept] > 1e-6].T, dtype=np.float32)


def nuisance_directions(
    run: "Run", network: "Network", rows: "pd.DataFrame", features: NDArray[np.float32], device: "torch.device"
) -> NDArray[np.float32]:
    """Measure in which directions (F, K) the features of training images move when their photos are copied.

    Args:
        run: the run of the images.
        network: its network.
        rows: rows of its split (N).
        features: (N, F), of length 1.
        device: where to compute.

    Raises:
        RunError: an image cannot be read.
    """
    from leafid.learning import embed_images, fuse_batch_norm
    from leafid.sheets import prepare

    turned = run.job.sheets.orientation == "kept"  # else the views are the same

    def prepared_copies(opened: OpenedImage) -> list["PreparedImage"]:
        return [prepare(copy, run.job.sheets) for copy in photo_copies(opened, turned=turned)]

    chosen = np.random.default_rng(run.job.seed).permutation(len(rows))[: min(_MOST_IMAGES, -(-len(rows) // _SHARE))]
    fused = fuse_batch_norm(network, device)
    copies = each_photo(run, rows.iloc[chosen], prepared_copies, title="Features of copies")
    moves = [
        l2_normalise(embed_images(fused, each, device=device)) - features[index]
        for index, each in zip(chosen, copies, strict=True)
    ]
    return principal_directions(np.concatenate(moves))
