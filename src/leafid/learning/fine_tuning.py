"""The Lightning module: one step, shared by training and validation."""

from collections.abc import Sequence

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from leafid.jobs import TrainingSettings
from leafid.learning.network import Network
from leafid.learning.recipe import Recipe, optimiser
from leafid.learning.samples import Batch


class FineTuning(LightningModule):
    """A network that learns by a recipe.

    Args:
        network: the network, which is changed in place.
        recipe: rates and phases.
        training: the job's settings.
        train_labels: labels of the training images, for weighing the errors.
        seed: the job's seed.
    """

    def __init__(
        self, network: Network, recipe: Recipe, training: TrainingSettings, train_labels: Sequence[int], seed: int
    ) -> None:
        super().__init__()
        self.network = network
        self.batch_norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        self.recipe = recipe
        self.seed = seed
        taxa = network.taxa
        weights = _weights(train_labels, taxa) if training.balance == "loss" else None
        self.loss = nn.CrossEntropyLoss(weight=weights, label_smoothing=training.label_smoothing)
        self.val_metrics = MetricCollection(
            {
                "val_macro_f1": MulticlassF1Score(taxa, average="macro"),
                "val_accuracy": MulticlassAccuracy(taxa, average="micro"),
            }
        )

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Return the loss of a batch."""
        # Dropout draws from the global generator. Seeded by the step, an interrupted run draws as an uninterrupted one.
        torch.manual_seed(self.seed * 1_000_000_007 + self.global_step)
        momentum = self.recipe.batch_norm_momentum(self.global_step)
        for norm in self.batch_norms:
            norm.momentum = momentum
        loss, _ = self._step(batch)
        self.log("train_loss", loss, on_step=True, on_epoch=True, batch_size=len(batch.labels), sync_dist=True)
        return loss

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Count a batch into the metrics of val."""
        loss, logits = self._step(batch)
        self.val_metrics.update(logits, batch.labels)
        self.log("val_loss", loss, batch_size=len(batch.labels), sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of val."""
        self.log_dict(self.val_metrics.compute(), prog_bar=True)
        self.val_metrics.reset()

    def configure_optimizers(self) -> tuple[list[Optimizer], list[dict[str, object]]]:  # type: ignore[override]
        """Give Lightning the optimiser and its schedule, which goes on at every step."""
        optimizer, schedule = optimiser(self.network, self.recipe)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def _step(self, batch: Batch) -> tuple[Tensor, Tensor]:
        logits = self.network(batch.bags).logits.float()
        return self.loss(logits, batch.labels), logits


def _weights(labels: Sequence[int], taxa: int) -> Tensor:
    """Weigh each taxon by the inverse of its number of training images; their mean over the images is 1."""
    counts = torch.bincount(torch.tensor(labels), minlength=taxa).float()
    return len(labels) / (taxa * counts.clamp(min=1))
