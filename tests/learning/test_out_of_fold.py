"""The probe without a fold is the probe of the other folds, and no other head is taken for one."""

import numpy as np
import pytest
import torch

from leafid.learning import Network, build_network, out_of_fold_logits
from leafid.learning.linear_probe.probe import ShrunkLda, concatenated, fit_probe_head
from tests.identify.small_bundle import NETWORK

TAXA = 3

LabelledEmbeddings = tuple[np.ndarray, np.ndarray]


def _embedded(count: int, seed: int, side: int) -> LabelledEmbeddings:
    labels = np.arange(count) % TAXA
    centres = np.random.default_rng(0).normal(0, 1, (TAXA, side))
    noise = np.random.default_rng(seed).normal(0, 8, (count, side))
    return (centres[labels] + noise).astype(np.float32), labels


def _out_of_fold(network: Network, train: LabelledEmbeddings, folds: np.ndarray) -> np.ndarray | None:
    every = np.full(len(folds), True)
    return out_of_fold_logits(network, train, every, None, folds, shrinkage=0.2, balanced=True)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return build_network(NETWORK, TAXA)


def test_each_fold_is_judged_by_the_probe_of_the_others(network: Network) -> None:
    side = network.last_linear.in_features
    train, val = _embedded(60, 1, side), _embedded(24, 2, side)
    probe = fit_probe_head(train, val, TAXA, balanced=True)
    probe.load_into(network)
    every = np.concatenate([train[0], val[0]]), np.concatenate([train[1], val[1]])
    folds = np.arange(84) // 21
    logits = out_of_fold_logits(
        network, every, np.arange(84) < 60, None, folds, shrinkage=probe.shrinkage, balanced=True
    )
    assert logits is not None and logits.shape == (84, TAXA)
    weight, bias = ShrunkLda(every[0][21:], every[1][21:], TAXA, balanced=True).head(probe.shrinkage)
    expected = every[0][:21] @ weight.T + bias
    scales = expected / logits[:21]
    assert scales.std() / scales.mean() < 1e-6  # one scale, that of the network
    by_itself = probe.head.logits(train[0])
    assert (logits[:60].argmax(axis=1) == train[1]).mean() < (by_itself.argmax(axis=1) == train[1]).mean()


def test_a_fold_goes_without_the_copies_of_its_images(network: Network) -> None:
    """Labels without any pattern: who has seen a copy of an image would know its label."""
    side = network.last_linear.in_features
    random = np.random.default_rng(0)
    embeddings, labels = random.normal(0, 1, (60, side)).astype(np.float32), random.integers(0, TAXA, 60)
    train, copies = (embeddings, labels), (np.tile(embeddings, (2, 1)), np.tile(labels, 2))
    probe = fit_probe_head(concatenated(train, copies), train, TAXA, balanced=True)
    probe.load_into(network)
    folds = np.arange(60) // 15
    logits = out_of_fold_logits(
        network, train, np.full(60, True), copies, folds, shrinkage=probe.shrinkage, balanced=True
    )
    assert logits is not None
    assert (probe.head.logits(embeddings).argmax(axis=1) == labels).mean() > 0.95
    assert (logits.argmax(axis=1) == labels).mean() < 0.6


def test_a_head_that_is_no_probe_has_no_such_logits(network: Network) -> None:
    train = _embedded(60, 1, network.last_linear.in_features)
    folds = np.arange(60) // 15
    assert _out_of_fold(network, train, folds) is None


def test_too_few_images_are_told(network: Network) -> None:
    train = _embedded(4, 1, network.last_linear.in_features)
    assert _out_of_fold(network, train, np.arange(4) // 2) is None
