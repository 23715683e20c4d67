"""Out-of-fold logits come from a probe of the other folds; a head that is not a probe has none."""

import numpy as np
import pytest
import torch

from leafid.learning import NOT_FITTED, LabelledEmbeddings, Network, build_network, out_of_fold_logits
from leafid.learning.linear_probe.lda import ShrunkLda
from leafid.learning.linear_probe.probe import fit_probe_head
from tests.identify.small_bundle import NETWORK

TAXA = 3


def _embedded(count: int, seed: int, side: int) -> LabelledEmbeddings:
    labels = np.arange(count) % TAXA
    means = np.random.default_rng(0).normal(0, 1, (TAXA, side))
    noise = np.random.default_rng(seed).normal(0, 8, (count, side))
    return LabelledEmbeddings((means[labels] + noise).astype(np.float32), labels)


def _out_of_fold(network: Network, train: LabelledEmbeddings, folds: np.ndarray) -> np.ndarray | None:
    return out_of_fold_logits(network, train, None, folds, shrinkage=0.2, balanced=True)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return build_network(NETWORK, TAXA)


def test_each_fold_is_predicted_by_the_probe_of_the_others(network: Network) -> None:
    side = network.last_linear.in_features
    train, val = _embedded(60, 1, side), _embedded(24, 2, side)
    probe = fit_probe_head(train, val, TAXA, balanced=True)
    probe.load_into(network)
    folds = np.arange(60) // 15
    images, with_val = train.concatenate(val), np.append(folds, np.full(24, NOT_FITTED))
    logits = out_of_fold_logits(network, images, None, with_val, shrinkage=probe.shrinkage, balanced=True)
    assert logits is not None and logits.shape == (84, TAXA)
    others = ShrunkLda(train.subset(folds > 0), TAXA, balanced=True).head(probe.shrinkage)
    first = folds == 0
    ratios = others.logits(train.embeddings[first]) / logits[:60][first]
    assert ratios.std() / ratios.mean() < 1e-4  # one temperature, that of the network
    in_sample = probe.head.logits(train.embeddings).argmax(axis=1) == train.labels
    assert (logits[:60].argmax(axis=1) == train.labels).mean() < in_sample.mean()
    np.testing.assert_allclose(logits[60:], probe.head.logits(val.embeddings), rtol=1e-3, atol=1e-3)


def test_the_copies_of_a_fold_are_held_out_too(network: Network) -> None:
    """Labels are random: a probe that was fitted to a copy of an image would know its label."""
    side = network.last_linear.in_features
    random = np.random.default_rng(0)
    train = LabelledEmbeddings(random.normal(0, 1, (60, side)).astype(np.float32), random.integers(0, TAXA, 60))
    copies = train.concatenate(train)
    probe = fit_probe_head(train.concatenate(copies), train, TAXA, balanced=True)
    probe.load_into(network)
    folds = np.arange(60) // 15
    logits = out_of_fold_logits(network, train, copies, folds, shrinkage=probe.shrinkage, balanced=True)
    assert logits is not None
    assert (probe.head.logits(train.embeddings).argmax(axis=1) == train.labels).mean() > 0.95
    assert (logits.argmax(axis=1) == train.labels).mean() < 0.6


def test_a_head_that_is_not_a_probe_has_no_out_of_fold_logits(network: Network) -> None:
    train = _embedded(60, 1, network.last_linear.in_features)
    folds = np.arange(60) // 15
    assert _out_of_fold(network, train, folds) is None


def test_too_few_images_have_no_out_of_fold_logits(network: Network) -> None:
    train = _embedded(4, 1, network.last_linear.in_features)
    assert _out_of_fold(network, train, np.arange(4) // 2) is None
