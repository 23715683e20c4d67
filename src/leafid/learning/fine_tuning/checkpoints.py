"""Checkpoints: the state after a complete epoch. They are written atomically and contain plain data only."""

import math
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping
from lightning.pytorch.plugins.io import TorchCheckpointIO

from leafid.errors import RunError
from leafid.files import written_atomically

LAST, BEST = "last.ckpt", "best.ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Replaces a checkpoint only when the new one is completely on disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:  # noqa: ANN401
        """Write to a temporary name, then rename."""
        final = Path(path)
        final.parent.mkdir(parents=True, exist_ok=True)
        with written_atomically(final) as temporary:
            torch.save(checkpoint, temporary)


def checkpoint_rank(val_macro_f1: float, val_loss: float | None) -> tuple[float, float]:
    """Return a sort key of epochs, higher is better: macro-F1, then the loss where macro-F1 is equal (few val images).

    A loss of None belongs to the network before its first epoch, which stays the best until macro-F1 rises.
    """
    return round(val_macro_f1, 6), math.inf if val_loss is None else -round(val_loss, 6)


class BestAndLast(Checkpoint):
    """Saves after each epoch: ``best.ckpt`` if its ``checkpoint_rank`` is the highest so far, then ``last.ckpt``.

    In this order, a run killed in between resumes from an epoch whose best checkpoint exists.

    Args:
        folder: of the checkpoints.
        score_before: macro-F1 on val before the first epoch (the probe), which may remain the best; None: the network
            has random weights and is not saved.
    """

    def __init__(self, folder: Path, score_before: float | None = None) -> None:
        self.folder = folder
        self.score_before = score_before
        self.best = checkpoint_rank(-1.0, None)
        self.best_epoch = -1

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the network before its first epoch, if it has a probe."""
        # Only rank 0 knows the score; all ranks have to take part in saving.
        score_before = trainer.strategy.broadcast(self.score_before)
        if score_before is not None and trainer.global_step == 0:
            self.best = checkpoint_rank(score_before, None)
            trainer.save_checkpoint(self.folder / BEST)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save; Lightning calls checkpoint callbacks after all others."""
        metrics = trainer.callback_metrics
        current = checkpoint_rank(float(metrics["val_macro_f1"]), float(metrics["val_loss"]))
        if current > self.best:
            self.best, self.best_epoch = current, trainer.current_epoch
            trainer.save_checkpoint(self.folder / BEST)
        trainer.save_checkpoint(self.folder / LAST)

    def state_dict(self) -> dict[str, Any]:
        """Return the state to store in checkpoints."""
        return {"best": list(self.best), "best_epoch": self.best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        score, loss = state_dict["best"]
        self.best, self.best_epoch = (score, loss), state_dict["best_epoch"]


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint to the CPU; code in it is never run.

    Raises:
        RunError: the file is missing or damaged, or is not a checkpoint.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise RunError(
            f"The checkpoint {path} is damaged or missing: {reason}. Start another training with --out."
        ) from None
    if not isinstance(content, dict) or not {"state_dict", "epoch", "global_step", "callbacks"} <= content.keys():
        raise RunError(f"{path} is not a checkpoint of a leafid run. Start another training with --out.")
    return content


def is_complete(checkpoint: dict[str, Any], max_epochs: int) -> bool:
    """Return whether training had ended when the checkpoint was written: by its last epoch or by early stopping."""
    stopping = [state for name, state in checkpoint["callbacks"].items() if name.startswith(EarlyStopping.__name__)]
    stopped = any(state["wait_count"] >= state["patience"] for state in stopping)
    return bool(checkpoint["epoch"] + 1 >= max_epochs or stopped)


def network_state(checkpoint: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return the tensors of the network in a checkpoint, under the network's own names."""
    return {
        name.removeprefix("network."): value
        for name, value in checkpoint["state_dict"].items()
        if name.startswith("network.")
    }


def remove_partial(folder: Path) -> None:
    """Remove partly written files of a killed run."""
    for partial in folder.glob(".*.partial"):
        os.unlink(partial)
