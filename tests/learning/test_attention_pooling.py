"""Attention pooling over the views of an image."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from leafid.learning.models.attention_pooling import AttentionPooling

BAGS = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=5)
"""For each image, the kinds of its views."""


def flat(bags: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    image_index = torch.tensor([image for image, kinds in enumerate(bags) for _ in kinds])
    return image_index, torch.tensor([kind for kinds in bags for kind in kinds])


def features_of(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 7, generator=torch.Generator().manual_seed(seed)) * 20


@given(bags=BAGS, seed=st.integers(0, 1000))
def test_untrained_weights_are_equal_for_all_kinds_and_all_views_of_a_kind(bags: list[list[int]], seed: int) -> None:
    image_index, kinds = flat(bags)
    features = features_of(len(image_index), seed)
    pooled, weights = AttentionPooling(7)(features, image_index, kinds, len(bags))
    for image in range(len(bags)):
        own = image_index == image
        of_kinds = [features[own & (kinds == kind)].mean(0) for kind in set(kinds[own].tolist())]
        torch.testing.assert_close(pooled[image], torch.stack(of_kinds).mean(0))
        torch.testing.assert_close(weights[own].sum(), torch.tensor(1.0))


@given(bags=BAGS, seed=st.integers(0, 1000))
def test_weights_are_finite_and_sum_to_one_for_large_scores(bags: list[list[int]], seed: int) -> None:
    image_index, kinds = flat(bags)
    features = features_of(len(image_index), seed)
    pooling = AttentionPooling(7)
    torch.nn.init.normal_(pooling.score.weight, std=30, generator=torch.Generator().manual_seed(seed))
    pooled, weights = pooling(features, image_index, kinds, len(bags))
    assert torch.isfinite(pooled).all()
    sums = torch.zeros(len(bags)).index_add(0, image_index, weights)
    torch.testing.assert_close(sums, torch.ones(len(bags)))


def test_a_view_with_a_high_score_dominates_the_embedding() -> None:
    pooling = AttentionPooling(2)
    with torch.no_grad():
        pooling.score.weight.copy_(torch.tensor([[50.0, 0.0]]))
    features = torch.tensor([[1.0, 3.0], [0.0, 9.0]])
    pooled, weights = pooling(features, torch.tensor([0, 0]), torch.tensor([2, 2]), 1)
    assert weights[0] > 0.999
    torch.testing.assert_close(pooled[0], features[0])
