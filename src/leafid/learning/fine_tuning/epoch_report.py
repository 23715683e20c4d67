"""Progress of a training: after each epoch a row of ``metrics.csv``, a line on standard error, and the plot."""

import csv
import io
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from leafid.files import write_text, written_atomically
from leafid.learning.data.samples import Batch
from leafid.learning.fine_tuning.checkpoints import checkpoint_rank

COLUMNS = (
    "epoch",
    "steps",
    "learning_rate",
    "train_loss",
    "val_loss",
    "val_nll",
    "val_accuracy",
    "val_macro_f1",
    "seconds",
    "images_per_s",
)
"""Columns of ``metrics.csv``. ``epoch`` counts from 1; all values are those at its end. ``val_loss`` is the loss of
training; ``val_nll`` is the negative log-likelihood at the best temperature, which ranks epochs. ``seconds`` is the
time of the whole epoch; ``images_per_s`` counts its training steps only, over all devices."""


OnEpoch = Callable[[int, float], None]
"""Called with the number of an epoch, from 1, and its macro-F1 on val; may raise an exception to stop training."""


class EpochReport(Callback):
    """Reports each epoch, and keeps the rows of all epochs, also of those before an interruption.

    Args:
        metrics: the CSV file.
        plot: the PNG file.
        nll_before: ``val_nll`` of the probe, before the first epoch; a worse epoch is not "best so far".
        on_epoch: see ``OnEpoch``.
    """

    def __init__(self, metrics: Path, plot: Path, nll_before: float | None, on_epoch: OnEpoch | None) -> None:
        self.nll_before = math.inf if nll_before is None else nll_before
        self.on_epoch = on_epoch
        self.metrics = metrics
        self.plot = plot
        self.rows: list[dict[str, Any]] = []
        self._started = 0.0
        self._first_step: tuple[float, int] | None = None
        self._last_step = (0.0, 0)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start timing the epoch."""
        self._started = time.monotonic()
        self._first_step = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: Batch, batch_idx: int
    ) -> None:
        """Time the step. The first step of an epoch also waits for the workers to start, so it is not counted."""
        self._last_step = (time.monotonic(), self._last_step[1] + len(batch.labels) * trainer.world_size)
        self._first_step = self._first_step or self._last_step

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the epoch."""
        values = {name: round(float(value), 6) for name, value in trainer.callback_metrics.items()}
        row = {
            "epoch": trainer.current_epoch + 1,
            "steps": trainer.global_step,
            "learning_rate": trainer.optimizers[0].param_groups[-1]["lr"],
            "train_loss": values["train_loss_epoch"],
            "val_loss": values["val_loss"],
            "val_nll": values["val_nll"],
            "val_accuracy": values["val_accuracy"],
            "val_macro_f1": values["val_macro_f1"],
            "seconds": round(time.monotonic() - self._started, 1),
            "images_per_s": self._images_per_s(),
        }
        before = [self.nll_before, *(earlier["val_nll"] for earlier in self.rows)]
        is_best = checkpoint_rank(row["val_nll"]) > checkpoint_rank(min(before))
        self.rows.append(row)
        if not trainer.is_global_zero:
            return
        write_text(self.metrics, _as_csv(self.rows))
        plot_epochs(self.rows, self.plot)
        print(
            f"epoch {row['epoch']}/{trainer.max_epochs} ({row['seconds']:.0f} s): "
            f"train loss {row['train_loss']:.3f}, val NLL {row['val_nll']:.3f}, "
            f"val macro-F1 {row['val_macro_f1']:.3f}{' (best so far)' if is_best else ''}",
            file=sys.stderr,
        )
        if self.on_epoch:
            self.on_epoch(row["epoch"], row["val_macro_f1"])

    def _images_per_s(self) -> float | None:
        if self._first_step is None or self._last_step == self._first_step:
            return None
        (start, images_before), (end, images_after) = self._first_step, self._last_step
        return round((images_after - images_before) / (end - start), 2)

    def state_dict(self) -> dict[str, Any]:
        """Return the state to store in checkpoints."""
        return {"rows": self.rows, "nll_before": self.nll_before}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.rows = list(state_dict["rows"])
        self.nll_before = state_dict["nll_before"]


def plot_epochs(rows: list[dict[str, Any]], path: Path) -> None:
    """Plot losses, macro-F1 and accuracy by epoch as a PNG."""
    from matplotlib.figure import Figure

    epochs = [row["epoch"] for row in rows]
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    for name, marker in (("train_loss", "o"), ("val_loss", "s")):
        losses.plot(epochs, [row[name] for row in rows], marker=marker, markersize=3, label=name.replace("_", " "))
    for name, marker in (("val_macro_f1", "s"), ("val_accuracy", "o")):
        scores.plot(epochs, [row[name] for row in rows], marker=marker, markersize=3, label=name.replace("_", " "))
    scores.set_ylim(0, 1)
    for axes in (losses, scores):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    with written_atomically(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def _as_csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
