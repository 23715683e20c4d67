"""One answer of the views of an image."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from leafid.learning.pooling import mean_over_bags


@given(count=st.integers(1, 6), seed=st.integers(0, 1000))
def test_one_view_keeps_its_logits(count: int, seed: int) -> None:
    logits = torch.randn(count, 5, generator=torch.Generator().manual_seed(seed)) * 20
    assert torch.equal(mean_over_bags(logits, torch.ones(count, dtype=torch.int64)), logits)


@given(bags=st.lists(st.integers(1, 5), min_size=1, max_size=6), seed=st.integers(0, 1000))
def test_the_pool_is_the_mean_of_log_probabilities(bags: list[int], seed: int) -> None:
    logits = torch.randn(sum(bags), 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 5
    pooled = mean_over_bags(logits, torch.tensor(bags)).log_softmax(1)
    parts = torch.split(logits.log_softmax(1), bags)
    expected = torch.stack([part.mean(0) for part in parts]).log_softmax(1)
    np.testing.assert_allclose(pooled.numpy(), expected.numpy(), atol=1e-12)
