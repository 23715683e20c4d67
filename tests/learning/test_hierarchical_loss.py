"""The loss: equality with torch's cross-entropy, mixed labels, weights of rare taxa, and higher ranks."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from leafid.jobs import TrainingSettings
from leafid.learning.fine_tuning.hierarchical_loss import HierarchicalLoss, group_log_probabilities
from leafid.taxonomy import Taxon, Taxonomy

TAXONOMY = Taxonomy(
    taxa=(
        Taxon(scientific_name="Mitragyna hirsuta", genus="Mitragyna", family="Rubiaceae"),
        Taxon(scientific_name="Mitragyna speciosa", genus="Mitragyna", family="Rubiaceae"),
        Taxon(scientific_name="Neolamarckia cadamba", genus="Neolamarckia", family="Rubiaceae"),
        Taxon(scientific_name="Viola alba", genus="Viola", family="Violaceae"),
    )
)
LABELS = torch.tensor([0, 1, 1, 3, 2, 3])
LOGITS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
TRAIN_LABELS = [0, 1, 1, 1, 2, 2, 3, 3]


def loss_of(**training: object) -> HierarchicalLoss:
    """Return the loss of these settings."""
    return HierarchicalLoss.of(TrainingSettings.model_validate(training), TAXONOMY, TRAIN_LABELS)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_at_species_it_is_cross_entropy(smoothing: float) -> None:
    expected = cross_entropy(LOGITS, LABELS, label_smoothing=smoothing)
    assert torch.allclose(loss_of(label_smoothing=smoothing)(LOGITS, LABELS), expected)


def test_rare_taxa_weigh_more() -> None:
    weights = torch.tensor([8 / 4, 8 / 12, 8 / 8, 8 / 8])
    expected = cross_entropy(LOGITS, LABELS, weight=weights)
    assert torch.allclose(loss_of(balance="loss", label_smoothing=0)(LOGITS, LABELS), expected)


@pytest.mark.parametrize("settings", [{}, {"balance": "loss"}, {"higher_ranks": ["genus", "family"]}])
def test_the_loss_of_mixed_images_is_the_mixed_loss(settings: dict[str, object]) -> None:
    """As if each image were there twice, with either label, in the proportion of its shares."""
    loss, share = loss_of(**settings), 0.75
    partners = torch.tensor([1, 2, 3, 4, 5, 0])
    mixed = loss(LOGITS, LABELS, partners, torch.full((6,), share))
    # Three copies with the own label and one with the partner's give the same loss without mixing.
    logits = torch.cat([LOGITS] * 4)
    labels = torch.cat([LABELS] * 3 + [LABELS[partners]])
    assert torch.allclose(mixed, loss(logits, labels), atol=1e-6)


def test_unmixed_images_have_their_own_loss() -> None:
    loss = loss_of(balance="loss")
    assert torch.allclose(loss(LOGITS, LABELS, torch.arange(6), torch.ones(6)), loss(LOGITS, LABELS))


def test_the_probability_of_a_genus_is_the_sum_of_its_species() -> None:
    summed = group_log_probabilities(LOGITS.log_softmax(dim=1), torch.tensor([0, 0, 1, 2])).exp()
    species = LOGITS.softmax(dim=1)
    assert torch.allclose(summed, torch.stack([species[:, :2].sum(1), species[:, 2], species[:, 3]], dim=1))


def test_a_wrong_prediction_in_the_right_genus_and_family_costs_less() -> None:
    confident = 8 * torch.eye(4)
    loss, hirsuta = loss_of(higher_ranks=["genus", "family"]), torch.tensor([0])
    costs = [float(loss(confident[predicted, None], hirsuta)) for predicted in range(4)]
    assert costs == sorted(costs)
    assert costs[0] + 1 < costs[1] and costs[1] + 1 < costs[2] and costs[2] + 1 < costs[3]
    plain = [float(loss_of()(confident[predicted, None], hirsuta)) for predicted in (1, 2, 3)]
    assert plain == pytest.approx([plain[0]] * 3)


def test_taxa_of_unknown_genus_are_groups_of_their_own_and_gradients_are_finite() -> None:
    unknown = Taxonomy(taxa=(*TAXONOMY.taxa, Taxon(scientific_name="sp. 1"), Taxon(scientific_name="sp. 2")))
    loss = HierarchicalLoss.of(TrainingSettings(higher_ranks=("genus",)), unknown, TRAIN_LABELS)
    logits = torch.randn(3, 6, requires_grad=True)
    loss(logits, torch.tensor([0, 4, 5])).backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()
    assert int(loss.get_buffer("group_0").max()) == 4  # three genera and two of their own


def test_a_rank_without_effect_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    one_genus = Taxonomy.from_names(["Viola alba", "Viola biflora"])
    loss = HierarchicalLoss.of(TrainingSettings(higher_ranks=("genus",)), one_genus, [0, 1])
    assert "higher_ranks: genus has no effect" in caplog.text
    assert loss.ranks == 0
