"""Drawn leaves on paper, whose characters are exactly known."""

import numpy as np
from numpy.typing import NDArray

from leafid.demo import DrawnLeaf, draw_leaf, sample_leaf, sample_plant
from leafid.sheets import ParsedLeaf

PAPER = (228, 224, 214)


def drawn_leaf(taxon: str, seed: int, *, px_per_mm: float = 4.0, direction_deg: float = 0.0) -> DrawnLeaf:
    """Draw a leaf of the taxon; the same seed always gives the same leaf."""
    rng = np.random.default_rng([815, seed])
    plant = sample_plant(taxon, rng)
    traits = sample_leaf(plant, rng)
    return draw_leaf(traits, plant.look, rng, px_per_mm=px_per_mm, direction_deg=direction_deg, margin_px=40)


def on_paper(leaf: DrawnLeaf) -> NDArray[np.uint8]:
    """Return the leaf on plain paper."""
    return leaf.on_background(np.broadcast_to(np.array(PAPER, np.uint8), leaf.image.shape).copy())


def parsed(leaf: DrawnLeaf) -> ParsedLeaf:
    """Return the leaf as a parser would find it that makes no mistake."""
    numbers = (leaf.traits.pairs_left, leaf.traits.pairs_right)
    return ParsedLeaf.exact(leaf.mask, leaf.midrib_px, numbers)
