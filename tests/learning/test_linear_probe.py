"""The closed-form linear probe."""

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from leafid.bundle import NetworkSpec
from leafid.learning import build_network
from leafid.learning.linear_probe.embeddings import LabelledEmbeddings
from leafid.learning.linear_probe.folds import blocked_folds
from leafid.learning.linear_probe.lda import ShrunkLda
from leafid.learning.linear_probe.probe import fit_probe_head, refit_probe_head


def clouds(per_taxon: int, taxa: int, seed: int) -> LabelledEmbeddings:
    """Draw embeddings around taxon means that are close in the directions of large variance within taxa."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(taxa), per_taxon)
    scatter = np.where(np.arange(20) < 10, 5.0, 0.3)
    means = np.random.default_rng(0).normal(0, 1, (taxa, 20))
    embeddings = means[labels] + random.normal(0, 1, (len(labels), 20)) * scatter
    return LabelledEmbeddings(embeddings.astype(np.float32), labels)


def test_the_probe_uses_the_directions_in_which_taxa_differ() -> None:
    train, val, test = (clouds(12, 4, seed) for seed in (1, 2, 3))
    probe = fit_probe_head(train, val, 4, balanced=True)
    correct = probe.head.logits(test.embeddings).argmax(axis=1) == test.labels
    means = np.stack([train.embeddings[train.labels == label].mean(axis=0) for label in range(4)])
    nearest = ((test.embeddings[:, None] - means) ** 2).sum(axis=2).argmin(axis=1) == test.labels
    assert correct.mean() > 0.85 > nearest.mean() + 0.2
    assert probe.val_macro_f1 > 0.8


def test_subsets_and_concatenation_keep_embeddings_and_labels_together() -> None:
    images, more = clouds(2, 3, 1), clouds(1, 3, 2)
    both = images.concatenate(more)
    assert len(both) == 9 and both.labels.tolist() == [0, 0, 1, 1, 2, 2, 0, 1, 2]
    assert images.concatenate(None) is images
    third = both.subset(both.labels == 2)
    assert np.array_equal(third.embeddings, np.stack([*images.embeddings[4:], more.embeddings[2]]))
    assert third.labels.tolist() == [2, 2, 2]


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize(("per_taxon", "taxa"), [(4, 5), (40, 4)])
def test_logits_equal_those_of_scikit_learn(per_taxon: int, taxa: int, balanced: bool) -> None:
    images = clouds(per_taxon, taxa, 1)
    images = images.subset(np.arange(len(images)) >= 2)  # taxa of unequal size
    for shrinkage in (0.05, 0.8):
        priors = np.full(taxa, 1 / taxa) if balanced else None
        reference = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=priors)
        reference.fit(images.embeddings.astype(np.float64), images.labels)
        head = ShrunkLda(images, taxa, balanced=balanced).head(shrinkage)
        expected = images.embeddings @ reference.coef_.T + reference.intercept_
        logits = head.logits(images.embeddings)
        np.testing.assert_allclose(logits - logits.mean(axis=1)[:, None], logits, atol=1e-6)  # the head is centred
        np.testing.assert_allclose(logits, expected - expected.mean(axis=1)[:, None], rtol=1e-5, atol=1e-4)


def test_two_taxa_and_taxa_without_images() -> None:
    train, val = clouds(12, 2, 1), clouds(6, 2, 2)
    probe = fit_probe_head(train, val, 3, balanced=False)  # the third taxon has no training image
    logits = probe.head.logits(val.embeddings)
    assert (logits.argmax(axis=1) == val.labels).mean() > 0.8
    assert (logits[:, 2] < logits[:, :2].min(axis=1)).all()


def test_mean_confidence_equals_accuracy() -> None:
    train, val = clouds(6, 8, 1), clouds(6, 8, 2)
    probe = fit_probe_head(train, val, 8, balanced=True)
    logits = torch.from_numpy(probe.head.logits(val.embeddings))
    confidence = logits.softmax(1).max(1).values.mean().item()
    accuracy = (logits.argmax(1).numpy() == val.labels).mean()
    assert abs(confidence - accuracy) < 0.1


def test_a_probe_is_loaded_into_a_network() -> None:
    spec = NetworkSpec(backbone="shufflenet_v2_x1_0", dropout=0.0, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    network = build_network(spec, taxa=3).eval()
    random = np.random.default_rng(0)
    train = LabelledEmbeddings(random.normal(size=(12, 1024)).astype(np.float32), np.repeat([0, 1, 2], 4))
    probe = fit_probe_head(train, train, 3, balanced=True)
    probe.load_into(network)
    logits = network.head(torch.from_numpy(train.embeddings)).detach().numpy()
    np.testing.assert_allclose(logits, probe.head.logits(train.embeddings), atol=1e-3)


def test_a_refitted_probe_is_more_accurate_and_calibrated_on_new_images() -> None:
    def noisy(per_taxon: int, seed: int) -> LabelledEmbeddings:
        images = clouds(per_taxon, 8, seed)
        noise = np.random.default_rng(100 + seed).normal(0, 2, images.embeddings.shape)
        return LabelledEmbeddings((images.embeddings + noise).astype(np.float32), images.labels)

    gained, overconfident = [], []
    for draw in range(6):
        train, val, test = noisy(4, 3 * draw), noisy(3, 3 * draw + 1), noisy(40, 3 * draw + 2)
        before = fit_probe_head(train, val, 8, balanced=True).head.logits(test.embeddings).argmax(axis=1)
        both = train.concatenate(val)
        folds = blocked_folds(both.labels, [str(number) for number in range(len(both))])
        head, _ = refit_probe_head(both, 8, balanced=True, folds=folds)
        logits = head.logits(test.embeddings)
        accuracy = (logits.argmax(axis=1) == test.labels).mean()
        gained.append(accuracy - (before == test.labels).mean())
        confidence = float(torch.from_numpy(logits).softmax(1).max(1).values.mean())
        overconfident.append(confidence - accuracy)
    assert np.mean(gained) > 0.03
    assert abs(np.mean(overconfident)) < 0.06
