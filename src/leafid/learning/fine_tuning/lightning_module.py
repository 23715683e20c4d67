"""The Lightning module: one step, shared by training and validation."""

from collections.abc import Callable
from typing import Any, Protocol, Self

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from leafid.errors import RunError
from leafid.jobs import Mix
from leafid.learning.data.samples import Batch
from leafid.learning.fine_tuning.batch_norm import use_running_statistics
from leafid.learning.fine_tuning.calibrated_nll import CalibratedNll
from leafid.learning.fine_tuning.hierarchical_loss import HierarchicalLoss
from leafid.learning.fine_tuning.mixup import mix_batch
from leafid.learning.fine_tuning.optimizer import OptimizerSchedule, build_optimizer
from leafid.learning.models.batch_norm_fusion import fuse_batch_norm
from leafid.learning.models.network import Network

STEPS_PER_CHECK = 10
"""Steps between two checks of the loss; a GPU has to finish its step for a check."""


class SolvedHeads(Protocol):
    """Heads that are solved, not trained; see ``HeldOutHeads``."""

    def logits(self, embeddings: Tensor, indices: Tensor) -> Tensor:
        """Return the logits (N, T) of embeddings (N, F) of the training images with these indices (N,)."""

    def state(self) -> list[tuple[Tensor, Tensor]]:
        """Return weights and biases for a checkpoint."""

    def restore(self, state: list[tuple[Tensor, Tensor]]) -> None:
        """Take those of a checkpoint."""


class FineTuningModule(LightningModule):
    """Fine-tunes a network. Batch norm is frozen unless training starts from random weights.

    Args:
        network: the network, which is changed in place.
        schedule: learning rates and number of steps.
        loss: the loss function.
        mix: how the images of a training step are mixed.
        seed: the job's seed.
        trained: (T,), whether a taxon has training images.
        parts: batches of which a step consists; see ``parts_of_step``.
        heads: they take the place of the network's own head in training. None: it is trained.
        solve_heads: called before each validation; solves heads and the network's own head for its features.
    """

    def __init__(
        self,
        network: Network,
        schedule: OptimizerSchedule,
        loss: HierarchicalLoss,
        *,
        mix: Mix,
        seed: int,
        trained: Tensor,
        parts: int = 1,
        heads: SolvedHeads | None = None,
        solve_heads: Callable[[Network], None] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.batch_norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        self.schedule = schedule
        self.loss = loss
        self.mix = mix
        self.seed = seed
        self.parts = parts
        # No module and no tensor of this module: heads belong to the weights of the moment, and are not averaged.
        self.heads = heads
        self.solve_heads = solve_heads
        network.head.requires_grad_(heads is None)
        taxa = network.taxa
        self.val_metrics = MetricCollection(
            {
                "val_macro_f1": MulticlassF1Score(taxa, average="macro"),
                "val_accuracy": MulticlassAccuracy(taxa, average="micro"),
                "val_nll": CalibratedNll(trained),
            },
            compute_groups=False,  # their states differ
        )
        self._all_finite: Tensor | None = None
        self._validated: list[Network] = []  # in a list, so that it is no part of this module and its checkpoints
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Set the mode; frozen batch norm stays in eval mode."""
        super().train(mode)
        if not self.schedule.random_weights:
            use_running_statistics(self.network)
        return self

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Return the loss of a training batch."""
        # Dropout and mixing draw from the global generator. Seeded by the step, a resumed run draws the same numbers
        # as an uninterrupted one.
        torch.manual_seed(self.seed * 1_000_000_007 + self.global_step * self.parts + batch_index % self.parts)
        momentum = self.schedule.batch_norm_momentum(self.global_step)
        for norm in self.batch_norms:
            norm.momentum = momentum
        images = mix_batch(batch.bags, self.mix)
        output = self.network(images.bags)
        logits = output.logits.float()
        if self.heads is not None:
            logits = self.heads.logits(output.embeddings.float(), batch.indices)
        loss: Tensor = self.loss(logits, batch.labels, images.partners, images.shares)
        self._check_finite(loss, at_once=batch_index % STEPS_PER_CHECK == 0)
        self.log("train_loss", loss, on_step=True, on_epoch=True, batch_size=len(batch.labels), sync_dist=True)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Solve the heads for the weights that are validated, those of the average (EMA); the next epoch uses them.

        Batch norm is fused for validation, which then takes less time.
        """
        if self.solve_heads is not None:
            self.solve_heads(self.network)
        self._validated = [fuse_batch_norm(self.network, self.device)]

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Add a batch to the metrics of val."""
        logits = self._validated[0](batch.bags).logits.float()
        self._check_finite(logits.sum(), at_once=True)
        self.val_metrics.update(logits, batch.labels)
        self.log("val_loss", self.loss(logits, batch.labels), batch_size=len(batch.labels), sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of val."""
        self._validated = []
        self.log_dict(self.val_metrics.compute(), prog_bar=True)
        self.val_metrics.reset()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the heads of the next epoch."""
        if self.heads is not None:
            checkpoint["held_out_heads"] = self.heads.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the heads of the next epoch."""
        if self.heads is not None:
            self.heads.restore(checkpoint["held_out_heads"])

    def configure_optimizers(self) -> tuple[list[Optimizer], list[dict[str, object]]]:  # type: ignore[override]
        """Return the optimizer and its learning rate schedule, which advances at every step."""
        optimizer, schedule = build_optimizer(self.network, self.schedule)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def _check_finite(self, value: Tensor, *, at_once: bool) -> None:
        """Remember whether all values were finite; raise RunError at the next check if one was not."""
        finite = torch.isfinite(value.detach())
        self._all_finite = finite if self._all_finite is None else self._all_finite & finite
        if at_once and not self._all_finite:
            rate = self.schedule.learning_rate
            sixteen = " With training.precision: 16, also try bf16." if self.trainer.precision == "16-mixed" else ""
            raise RunError(
                f"The loss is no longer a finite number, in epoch {self.current_epoch + 1} after {self.global_step} "
                f"steps: training.learning_rate ({rate:g}) is too high. Lower it, for example to {rate / 10:g}, and "
                f"start another run with --out.{sixteen} No bundle was written."
            )
