"""The Lightning module: one step, shared by training and validation."""

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from leafid.jobs import Mix
from leafid.learning.data.bags import Bags
from leafid.learning.data.samples import Batch
from leafid.learning.fine_tuning.hierarchical_loss import HierarchicalLoss
from leafid.learning.fine_tuning.mixup import mix_batch
from leafid.learning.fine_tuning.optimizer import OptimizerSchedule, build_optimizer
from leafid.learning.models.network import Network


class FineTuningModule(LightningModule):
    """Fine-tunes a network.

    Args:
        network: the network, which is changed in place.
        schedule: learning rates and number of steps.
        loss: the loss function.
        mix: how the images of a training step are mixed.
        seed: the job's seed.
    """

    def __init__(
        self, network: Network, schedule: OptimizerSchedule, loss: HierarchicalLoss, *, mix: Mix, seed: int
    ) -> None:
        super().__init__()
        self.network = network
        self.batch_norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        self.schedule = schedule
        self.loss = loss
        self.mix = mix
        self.seed = seed
        taxa = network.taxa
        self.val_metrics = MetricCollection(
            {
                "val_macro_f1": MulticlassF1Score(taxa, average="macro"),
                "val_accuracy": MulticlassAccuracy(taxa, average="micro"),
            }
        )

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Return the loss of a training batch."""
        # Dropout and mixing draw from the global generator. Seeded by the step, a resumed run draws the same numbers
        # as an uninterrupted one.
        torch.manual_seed(self.seed * 1_000_000_007 + self.global_step)
        momentum = self.schedule.batch_norm_momentum(self.global_step)
        for norm in self.batch_norms:
            norm.momentum = momentum
        images = mix_batch(batch.bags, self.mix)
        loss: Tensor = self.loss(self._logits(images.bags), batch.labels, images.partners, images.shares)
        self.log("train_loss", loss, on_step=True, on_epoch=True, batch_size=len(batch.labels), sync_dist=True)
        return loss

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Add a batch to the metrics of val."""
        logits = self._logits(batch.bags)
        self.val_metrics.update(logits, batch.labels)
        self.log("val_loss", self.loss(logits, batch.labels), batch_size=len(batch.labels), sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of val."""
        self.log_dict(self.val_metrics.compute(), prog_bar=True)
        self.val_metrics.reset()

    def configure_optimizers(self) -> tuple[list[Optimizer], list[dict[str, object]]]:  # type: ignore[override]
        """Return the optimizer and its learning rate schedule, which advances at every step."""
        optimizer, schedule = build_optimizer(self.network, self.schedule)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def _logits(self, bags: Bags) -> Tensor:
        return self.network(bags).logits.float()  # type: ignore[no-any-return]
