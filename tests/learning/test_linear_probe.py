"""The closed-form head."""

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from leafid.bundle import NetworkSpec
from leafid.learning import build_network
from leafid.learning.linear_probe.probe import ShrunkLda, fit_probe_head


def clouds(per_taxon: int, taxa: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw embeddings around prototypes that lie close along a direction of large scatter."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(taxa), per_taxon)
    scatter = np.where(np.arange(20) < 10, 5.0, 0.3)
    prototypes = np.random.default_rng(0).normal(0, 1, (taxa, 20))
    return (prototypes[labels] + random.normal(0, 1, (len(labels), 20)) * scatter).astype(np.float32), labels


def test_it_finds_the_directions_in_which_taxa_differ() -> None:
    train, val, test = (clouds(12, 4, seed) for seed in (1, 2, 3))
    probe = fit_probe_head(train, val, 4, balanced=True)
    right = probe.head.logits(test[0]).argmax(axis=1) == test[1]
    prototypes = np.stack([train[0][train[1] == label].mean(axis=0) for label in range(4)])
    nearest = ((test[0][:, None] - prototypes) ** 2).sum(axis=2).argmin(axis=1) == test[1]
    assert right.mean() > 0.85 > nearest.mean() + 0.2
    assert probe.val_macro_f1 > 0.8


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize(("per_taxon", "taxa"), [(4, 5), (40, 4)])
def test_discriminants_are_those_of_scikit_learn(per_taxon: int, taxa: int, balanced: bool) -> None:
    embeddings, labels = clouds(per_taxon, taxa, 1)
    embeddings, labels = embeddings[2:], labels[2:]  # taxa of unequal size
    for shrinkage in (0.05, 0.8):
        priors = np.full(taxa, 1 / taxa) if balanced else None
        theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=priors)
        theirs.fit(embeddings.astype(np.float64), labels)
        weight, bias = ShrunkLda(embeddings, labels, taxa, balanced=balanced).head(shrinkage)
        expected = embeddings @ theirs.coef_.T + theirs.intercept_
        np.testing.assert_allclose(embeddings @ weight.T + bias, expected, rtol=1e-5, atol=1e-4)


def test_two_taxa_and_taxa_without_images() -> None:
    train, val = clouds(12, 2, 1), clouds(6, 2, 2)
    probe = fit_probe_head(train, val, 3, balanced=False)  # the third taxon has no training image
    logits = probe.head.logits(val[0])
    assert (logits.argmax(axis=1) == val[1]).mean() > 0.8
    assert (logits[:, 2] < logits[:, :2].min(axis=1)).all()


def test_it_is_no_surer_than_it_is_right() -> None:
    train, val = clouds(6, 8, 1), clouds(6, 8, 2)
    probe = fit_probe_head(train, val, 8, balanced=True)
    logits = torch.from_numpy(probe.head.logits(val[0]))
    sureness = logits.softmax(1).max(1).values.mean().item()
    right = (logits.argmax(1).numpy() == val[1]).mean()
    assert abs(sureness - right) < 0.1


def test_the_network_takes_it_as_its_head() -> None:
    spec = NetworkSpec(backbone="shufflenet_v2_x1_0", dropout=0.0, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    network = build_network(spec, taxa=3).eval()
    random = np.random.default_rng(0)
    train = (random.normal(size=(12, 1024)).astype(np.float32), np.repeat([0, 1, 2], 4))
    probe = fit_probe_head(train, train, 3, balanced=True)
    probe.load_into(network)
    logits = network.head(torch.from_numpy(train[0])).detach().numpy()
    np.testing.assert_allclose(logits, probe.head.logits(train[0]), atol=1e-3)
