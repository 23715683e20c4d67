"""One answer of the views of an image."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from leafid.learning.models.attention_pooling import AttentionPooling

BAGS = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=5)
"""For each image, what its views show."""


def flat(bags: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    owners = torch.tensor([owner for owner, kinds in enumerate(bags) for _ in kinds])
    return owners, torch.tensor([kind for kinds in bags for kind in kinds])


def features_of(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 7, generator=torch.Generator().manual_seed(seed)) * 20


@given(bags=BAGS, seed=st.integers(0, 1000))
def test_at_first_every_kind_and_every_view_of_a_kind_says_as_much(bags: list[list[int]], seed: int) -> None:
    owners, kinds = flat(bags)
    features = features_of(len(owners), seed)
    pooled, weights = AttentionPooling(7)(features, owners, kinds, len(bags))
    for owner in range(len(bags)):
        its = owners == owner
        of_kinds = [features[its & (kinds == kind)].mean(0) for kind in set(kinds[its].tolist())]
        torch.testing.assert_close(pooled[owner], torch.stack(of_kinds).mean(0))
        torch.testing.assert_close(weights[its].sum(), torch.tensor(1.0))


@given(bags=BAGS, seed=st.integers(0, 1000))
def test_attention_of_whatever_size_gives_weights(bags: list[list[int]], seed: int) -> None:
    owners, kinds = flat(bags)
    features = features_of(len(owners), seed)
    pooling = AttentionPooling(7)
    torch.nn.init.normal_(pooling.score.weight, std=30, generator=torch.Generator().manual_seed(seed))
    pooled, weights = pooling(features, owners, kinds, len(bags))
    assert torch.isfinite(pooled).all()
    sums = torch.zeros(len(bags)).index_add(0, owners, weights)
    torch.testing.assert_close(sums, torch.ones(len(bags)))


def test_a_view_that_is_attended_to_decides() -> None:
    pooling = AttentionPooling(2)
    with torch.no_grad():
        pooling.score.weight.copy_(torch.tensor([[50.0, 0.0]]))
    features = torch.tensor([[1.0, 3.0], [0.0, 9.0]])
    pooled, weights = pooling(features, torch.tensor([0, 0]), torch.tensor([2, 2]), 1)
    assert weights[0] > 0.999
    torch.testing.assert_close(pooled[0], features[0])
