"""Mixup and CutMix: views are mixed with views of their kind, labels in the proportion of the pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from leafid.jobs import Mix
from leafid.learning.data.bags import KINDS, Bags
from leafid.learning.fine_tuning.mixup import MixedBatch, mix_batch
from leafid.sheets import CropKind

SIDES = {CropKind.PLANT: 64, CropKind.LEAF: 32, CropKind.TILE: 32}


def bags_of(kinds: list[list[CropKind]]) -> Bags:
    """Images whose views have one colour: red encodes the image, green the kind."""
    return Bags.of(
        [
            [
                np.full((SIDES[kind], SIDES[kind], 3), (20 * image, 50 * KINDS.index(kind), 0), np.uint8)
                for kind in image_kinds
            ]
            for image, image_kinds in enumerate(kinds)
        ],
        kinds,
    )


def mix(bags: Bags, how: Mix, seed: int) -> tuple[MixedBatch, Tensor, Tensor]:
    """Return the mixed batch, its partners and its shares."""
    torch.manual_seed(seed)
    result = mix_batch(bags, how)
    assert result.partners is not None and result.shares is not None
    return result, result.partners, result.shares


@pytest.mark.parametrize("how", ["mixup", "cutmix", "both"])
@given(
    seed=st.integers(0, 2**32),
    kinds=st.lists(st.lists(st.sampled_from(list(SIDES)), min_size=1, max_size=4), min_size=1, max_size=6),
)
def test_the_share_of_the_partner_in_pixels_equals_that_in_the_label(
    how: Mix, seed: int, kinds: list[list[CropKind]]
) -> None:
    bags = bags_of(kinds)
    result, partners, shares = mix(bags, how, seed)
    groups = zip(result.bags.pixels, bags.pixels, bags.image_index, bags.kinds, strict=True)
    for pixels, before, image_index, of_kinds in groups:
        assert pixels.shape == before.shape and pixels.dtype == torch.uint8
        for view, image, kind in zip(pixels.float(), image_index, of_kinds, strict=True):
            expected = 20 * (shares[image] * image + (1 - shares[image]) * partners[image])
            assert abs(view[0].mean() - expected) < 1.5
            assert torch.all(view[1] == 50 * kind)  # mixed only with views of its kind


def test_an_image_without_counterpart_is_not_mixed() -> None:
    bags = bags_of([[CropKind.PLANT, CropKind.LEAF], [CropKind.LEAF, CropKind.LEAF]])
    for seed in range(10):
        result, partners, shares = mix(bags, "mixup", seed)
        assert partners.tolist() == [0, 0] and shares[0] == 1  # the other's leaves both find the first's leaf
        assert torch.equal(result.bags.pixels[1], bags.pixels[1])  # the plant


def test_no_image_is_its_own_partner_and_the_input_is_not_changed() -> None:
    bags = bags_of([[CropKind.PLANT]] * 6)
    before = bags.pixels[0].clone()
    for seed in range(10):
        _, partners, _ = mix(bags, "both", seed)
        assert sorted(partners.tolist()) == list(range(6))
        assert not (partners == torch.arange(6)).any()
    assert torch.equal(bags.pixels[0], before)


def test_both_draws_mixup_or_cutmix() -> None:
    bags = bags_of([[CropKind.PLANT], [CropKind.PLANT]])
    methods = set()
    for seed in range(40):
        result, _, shares = mix(bags, "both", seed)
        if 0.1 < shares[0] < 0.9:
            colours = len(set(result.bags.pixels[0][1, 0].flatten().tolist()))
            methods.add({1: "mixup", 2: "cutmix"}[colours])
    assert methods == {"mixup", "cutmix"}


def test_without_mixing_no_random_number_is_drawn() -> None:
    bags = bags_of([[CropKind.PLANT], [CropKind.PLANT]])
    before = torch.get_rng_state()
    assert mix_batch(bags, "none") == MixedBatch(bags)
    assert torch.equal(torch.get_rng_state(), before)
