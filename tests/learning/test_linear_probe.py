"""The closed-form linear probe."""

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from leafid.bundle import NetworkSpec
from leafid.learning import build_network
from leafid.learning.linear_probe.embeddings import LabelledEmbeddings
from leafid.learning.linear_probe.folds import held_out_folds
from leafid.learning.linear_probe.held_out import held_out_logits, leave_out_folds
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


def high_dimensional(sizes: list[int], seed: int, features: int = 400) -> LabelledEmbeddings:
    """Draw images with far more features than images, as pooled features of a few sheets have."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    means = np.random.default_rng(0).normal(0, 0.2, (len(sizes), features))
    noise = np.random.default_rng(seed + 1).normal(0, 1, (len(labels), features))
    return LabelledEmbeddings((means[labels] + noise).astype(np.float32), labels)


def refitted_logits(images: LabelledEmbeddings, taxa: int, test: LabelledEmbeddings) -> torch.Tensor:
    folds = held_out_folds(images.labels, [str(number) for number in range(len(images))], [None] * len(images))
    head, _ = refit_probe_head(images, taxa, balanced=True, folds=folds)
    return torch.from_numpy(head.logits(test.embeddings))


@pytest.mark.parametrize("per_taxon", [4, 7])
def test_a_refitted_probe_of_few_images_is_as_certain_as_it_is_right(per_taxon: int) -> None:
    """Heads that miss one image of each taxon are less certain than the final one: its probabilities were too low."""
    gaps, losses = [], []
    for draw in range(4):
        images = high_dimensional([per_taxon] * 12, 2 * draw)
        test = high_dimensional([20] * 12, 2 * draw + 1)
        logits = refitted_logits(images, 12, test)
        right = logits.argmax(1).numpy() == test.labels
        gaps.append(float(logits.softmax(1).max(1).values.mean()) - right.mean())
        loss, factor = torch.nn.functional.cross_entropy, torch.linspace(0.5, 2, 31)
        labels = torch.from_numpy(test.labels)
        losses.append([float(loss(logits * each, labels)) for each in factor])
    assert abs(np.mean(gaps)) < 0.05
    assert 0.8 < factor[np.mean(losses, axis=0).argmin()] < 1.25  # the temperature is the best for new images


def test_taxa_of_few_images_are_named_as_often_as_they_occur() -> None:
    sizes = [3, 3, 3, 12, 12, 12]
    named = np.zeros(6)
    for draw in range(4):
        images, test = high_dimensional(sizes, 2 * draw), high_dimensional([40] * 6, 2 * draw + 1)
        named += np.bincount(refitted_logits(images, 6, test).argmax(1).numpy(), minlength=6)
    assert named[:3].sum() > 0.6 * named[3:].sum()  # without the correction of their means: hardly ever


@pytest.mark.parametrize("with_copies", [True, False])
def test_leaving_out_is_the_same_as_fitting_without(with_copies: bool) -> None:
    images = high_dimensional([4, 5, 6], 1)
    copies = high_dimensional([4, 5, 6], 2) if with_copies else None
    folds = held_out_folds(images.labels, [str(number) for number in range(len(images))], [None] * len(images))
    assert folds.tolist() == list(range(15))
    left_out = leave_out_folds(images, 3, balanced=True, copies=copies, folds=folds)
    (predicted,) = held_out_logits(left_out, (0.4,))
    without = folds != 7
    lda = ShrunkLda(
        images.subset(without), 3, balanced=True, copies=copies.subset(without) if copies is not None else None
    )
    expected = lda.head(0.4, scatter=predicted.scatter).logits(images.embeddings[7:8])[0]
    found = predicted.logits[7]
    np.testing.assert_allclose(found - found.mean(), expected - expected.mean(), rtol=1e-4, atol=1e-3)


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
        logits = refitted_logits(both, 8, test)
        accuracy = (logits.argmax(1).numpy() == test.labels).mean()
        gained.append(accuracy - (before == test.labels).mean())
        confidence = float(logits.softmax(1).max(1).values.mean())
        overconfident.append(confidence - accuracy)
    assert np.mean(gained) > 0.03
    assert abs(np.mean(overconfident)) < 0.06
