"""The scale of the logits at which fine-tuning starts."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from leafid.jobs import Mix
from leafid.learning.fine_tuning.hierarchical_loss import HierarchicalLoss
from leafid.learning.fine_tuning.logit_scale import logit_scale
from leafid.learning.temperature import fit_temperature

TAXA = 5


@pytest.fixture(scope="module")
def held_out() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return calibrated logits of 200 images, most of them classified correctly, and the labels."""
    random = np.random.default_rng(0)
    labels = random.integers(0, TAXA, 200)
    logits = random.normal(0, 2, (200, TAXA)) + 6 * np.eye(TAXA)[labels]
    return logits / fit_temperature(logits, labels)[0], labels


def _loss(smoothing: float) -> HierarchicalLoss:
    return HierarchicalLoss(torch.ones(TAXA), label_smoothing=smoothing)


def test_calibrated_logits_keep_their_scale_for_plain_cross_entropy(
    held_out: tuple[NDArray[np.float64], NDArray[np.int64]],
) -> None:
    assert logit_scale(*held_out, loss=_loss(0), mix="none", seed=0) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("smoothing", "mix"), [(0.2, "none"), (0.0, "mixup"), (0.0, "cutmix"), (0.1, "both")])
def test_smoothing_and_mixing_lower_the_scale(
    held_out: tuple[NDArray[np.float64], NDArray[np.int64]], smoothing: float, mix: Mix
) -> None:
    before = torch.get_rng_state()
    scale = logit_scale(*held_out, loss=_loss(smoothing), mix=mix, seed=0)
    assert 0.1 < scale < 0.9
    assert scale == logit_scale(*held_out, loss=_loss(smoothing), mix=mix, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_scale_of_a_smoothed_loss_has_the_lowest_loss(
    held_out: tuple[NDArray[np.float64], NDArray[np.int64]],
) -> None:
    logits, labels = (torch.from_numpy(each) for each in held_out)
    scale, loss = logit_scale(*held_out, loss=_loss(0.2), mix="none", seed=0), _loss(0.2)
    assert loss(logits * scale, labels) < min(loss(logits * scale * factor, labels) for factor in (0.8, 1.25))


def test_answers_that_are_all_correct_do_not_raise_the_scale() -> None:
    labels = np.arange(TAXA)
    assert logit_scale(np.eye(TAXA), labels, loss=_loss(0), mix="none", seed=0) == 1
