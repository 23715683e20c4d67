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

START, BEST, LAST = "start.ckpt", "best.ckpt", "last.ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Replaces a checkpoint only when the new one is completely on disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:  # noqa: ANN401
        """Write to a temporary name, then rename."""
        final = Path(path)
        final.parent.mkdir(parents=True, exist_ok=True)
        with written_atomically(final) as temporary:
            torch.save(checkpoint, temporary)


def checkpoint_rank(val_nll: float) -> float:
    """Return a sort key of networks, higher is better: the log-likelihood of val, in thousandths of a nat.

    It distinguishes networks where macro-F1 is equal, which is common with few val images, and it includes how sure a
    network is of its answers. Smaller differences are rounding errors; the earlier of two equal networks is kept.
    """
    return -round(val_nll, 3)


class StartBestAndLast(Checkpoint):
    """Saves after each epoch: ``best.ckpt`` if its ``checkpoint_rank`` is the highest so far, then ``last.ckpt``.

    In this order, a run killed in between resumes from an epoch whose best checkpoint exists.

    Args:
        folder: of the checkpoints.
        saves_start: whether to save the network before its first epoch, too (``start.ckpt``).
    """

    def __init__(self, folder: Path, *, saves_start: bool) -> None:
        self.folder = folder
        self.saves_start = saves_start
        self.best, self.best_epoch, self.best_macro_f1 = -math.inf, -1, 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the network before its first epoch."""
        if self.saves_start and trainer.global_step == 0:
            trainer.save_checkpoint(self.folder / START)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save; Lightning calls checkpoint callbacks after all others."""
        metrics = trainer.callback_metrics
        current = checkpoint_rank(float(metrics["val_nll"]))
        if current > self.best:
            self.best, self.best_epoch = current, trainer.current_epoch
            self.best_macro_f1 = float(metrics["val_macro_f1"])
            trainer.save_checkpoint(self.folder / BEST)
        trainer.save_checkpoint(self.folder / LAST)

    def state_dict(self) -> dict[str, Any]:
        """Return the state to store in checkpoints."""
        return {"best": self.best, "best_epoch": self.best_epoch, "best_macro_f1": self.best_macro_f1}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.best, self.best_epoch = state_dict["best"], state_dict["best_epoch"]
        self.best_macro_f1 = state_dict["best_macro_f1"]


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
