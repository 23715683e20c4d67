"""Draw the pairs of "How to photograph a leaf": one photograph as it should be, one with a common mistake.

All leaves are drawn from the characters in the floras, so that the pictures can be published.

    python scripts/draw_photograph_advice.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from leafid.demo import DrawnLeaf, PlantLook, draw_leaf, sample_leaf, sample_plant
from leafid.demo.leaf import Image8, Image32
from leafid.demo.photographs.grounds import GROUNDS
from leafid.demo.traits import Face

WIDTH, HEIGHT = 720, 540  # pixels
QUALITY = 80
TAXON = "Mitragyna speciosa"
FRESH = PlantLook(
    adaxial=(0.24, 0.42, 0.16),
    abaxial=(0.45, 0.56, 0.32),
    vein_contrast=0.45,
    relief=0.8,
    mottle=0.4,
    twig=(0.4, 0.28, 0.2),
)
"""A fresh leaf; the drawn herbarium has dried ones."""


def ground(name: str, seed: int = 3) -> Image8:
    """Return a ground as large as a photograph: uint8 RGB (HEIGHT, WIDTH, 3)."""
    drawn = GROUNDS[name]((HEIGHT, WIDTH), np.random.default_rng(seed))
    return np.asarray(np.clip(drawn, 0, 1) * 255, dtype=np.uint8)


def paper() -> Image8:
    """Return plain paper in soft light from the left."""
    light = np.linspace(1.0, 0.93, WIDTH)[None, :, None] * np.array([238, 235, 228])
    grain = np.random.default_rng(2).normal(0, 1.5, (HEIGHT, WIDTH, 1))
    return np.clip(np.broadcast_to(light, (HEIGHT, WIDTH, 3)) + grain, 0, 255).astype(np.uint8)


def leaf(length: int, seed: int = 11, direction: float = 84.0, *, underside: bool = False) -> DrawnLeaf:
    """Draw a leaf of this length in pixels; ``direction`` in degrees, 0 has the apex up, 90 on the right."""
    rng = np.random.default_rng(seed)
    traits = sample_leaf(sample_plant(TAXON, rng), rng)
    face: Face = "abaxial" if underside else "adaxial"
    scale = length / traits.length_mm
    return draw_leaf(traits, FRESH, rng, px_per_mm=scale, face=face, direction_deg=direction)


def lay(picture: Image8, drawn: DrawnLeaf, centre: tuple[int, int]) -> Image8:
    """Return the picture with a leaf and its shadow on it; what lies outside the picture is cut off."""
    result = picture.astype(np.float32)
    height, width = drawn.coverage.shape
    left, top = centre[0] - width // 2, centre[1] - height // 2
    alpha = _placed(drawn.coverage.astype(np.float32)[..., None] / np.float32(255), left, top)
    shifted = np.pad(alpha[..., 0], ((7, 0), (5, 0)))[:HEIGHT, :WIDTH]
    shadow = cv2.GaussianBlur(shifted, (0, 0), 6)[..., None]
    result = result * (1 - 0.45 * shadow)
    result = result * (1 - alpha) + _placed(drawn.image.astype(np.float32), left, top) * alpha
    return np.asarray(result, dtype=np.uint8)


def _placed(patch: Image32, left: int, top: int) -> Image32:
    """Return a patch on an empty picture."""
    canvas = np.zeros((HEIGHT, WIDTH, patch.shape[2]), np.float32)
    height, width = patch.shape[:2]
    rows, columns = slice(max(top, 0), min(top + height, HEIGHT)), slice(max(left, 0), min(left + width, WIDTH))
    canvas[rows, columns] = patch[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return canvas


def good() -> Image8:
    """One whole leaf, flat on plain paper, sharp, from above."""
    return lay(paper(), leaf(560), (WIDTH // 2, HEIGHT // 2))


def far_away() -> Image8:
    """The leaf takes a hundredth of the picture."""
    return lay(ground("wood"), leaf(95), (430, 300))


def blurred() -> Image8:
    """The camera moved."""
    kernel = np.zeros((33, 33), np.float32)
    cv2.line(kernel, (2, 10), (30, 22), 1.0, 2)
    return np.asarray(cv2.GaussianBlur(cv2.filter2D(good(), -1, kernel / kernel.sum()), (0, 0), 2.5), dtype=np.uint8)


def dark() -> Image8:
    """Indoors in the evening, without a lamp."""
    grain = np.random.default_rng(1).normal(0, 3, (HEIGHT, WIDTH, 3))
    return np.asarray(np.clip(good() * np.array([0.15, 0.12, 0.1]) + grain, 0, 255), dtype=np.uint8)


def oblique() -> Image8:
    """Photographed from the side: the blade looks shorter than it is, and its angles are others."""
    before = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], np.float32)
    after = np.array([[110, 120], [610, 120], [WIDTH + 170, 440], [-170, 440]], np.float32)
    seen = cv2.getPerspectiveTransform(before, after)
    flat, bare = upright().astype(np.float32), paper().astype(np.float32)
    change = cv2.warpPerspective(flat - bare, seen, (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
    return np.asarray(np.clip(bare + change, 0, 255), dtype=np.uint8)


def upright() -> Image8:
    """The same leaf from straight above."""
    return lay(paper(), leaf(430, direction=4), (WIDTH // 2, HEIGHT // 2))


def overlapping() -> Image8:
    """Leaves that lie over one another, on grass."""
    picture = ground("grass")
    for seed, length, direction, centre in (
        (21, 420, 60, (300, 230)),
        (22, 430, -55, (420, 330)),
        (11, 440, 5, (360, 270)),
        (24, 380, -110, (450, 200)),
    ):
        picture = lay(picture, leaf(length, seed, direction), centre)
    return picture


def cut_off() -> Image8:
    """The tip lies outside the picture."""
    return lay(paper(), leaf(760), (WIDTH - 130, HEIGHT // 2))


def underside() -> Image8:
    """The underside, on which the veins stand out."""
    return lay(paper(), leaf(560, underside=True), (WIDTH // 2, HEIGHT // 2))


def both_sides() -> Image8:
    """Upper side and underside of two leaves of the plant, beside each other and a ruler."""
    picture = lay(paper(), leaf(400, 11, 4), (200, 235))
    picture = lay(picture, leaf(390, 11, -5, underside=True), (510, 235))
    return _with_ruler(picture)


def _with_ruler(picture: Image8) -> Image8:
    result = picture.copy()
    cv2.rectangle(result, (40, 488), (680, 530), (238, 236, 226), -1)
    for tick in range(0, 161):
        x = 40 + tick * 4
        cv2.line(result, (x, 488), (x, 488 + (16 if tick % 10 == 0 else 11 if tick % 5 == 0 else 7)), (40, 40, 40), 1)
        if tick % 10 == 0:
            cv2.putText(result, str(tick // 10), (x - 4, 524), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1)
    return result


PICTURES: dict[str, Callable[[], Image8]] = {
    "good": good,
    "far-away": far_away,
    "blurred": blurred,
    "dark": dark,
    "upright": upright,
    "oblique": oblique,
    "overlapping": overlapping,
    "cut-off": cut_off,
    "underside": underside,
    "both-sides": both_sides,
}


def main() -> None:
    """Draw the photographs and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/figures/photographs"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        path = options.out / f"{name}.jpg"
        Image.fromarray(draw()).save(path, quality=QUALITY)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
