"""Checkpoints: the state after a complete epoch. Written under a temporary name, then renamed; plain data only."""

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


class DurableCheckpoints(TorchCheckpointIO):
    """Puts a checkpoint in place only when all of it is on the disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:  # noqa: ANN401
        """Write to a temporary name, then rename."""
        final = Path(path)
        final.parent.mkdir(parents=True, exist_ok=True)
        with written_atomically(final) as temporary:
            torch.save(checkpoint, temporary)


def checkpoint_rank(val_macro_f1: float, val_loss: float | None) -> tuple[float, float]:
    """Return what makes one epoch better than another: macro-F1 and, where few images of val make that equal, the loss.

    None: of the network before its first epoch, which is the best until macro-F1 has risen.
    """
    return round(val_macro_f1, 6), math.inf if val_loss is None else -round(val_loss, 6)


class BestAndLast(Checkpoint):
    """After each epoch: ``best.ckpt`` when it is the best so far by its ``standing``, then ``last.ckpt``.

    In this order, so that a run killed in between resumes from an epoch whose best checkpoint is there.

    Args:
        folder: where they lie.
        score_before: macro-F1 on val of the network before its first epoch, which may remain the best; None: a network
            of random weights, which is not worth keeping.
    """

    def __init__(self, folder: Path, score_before: float | None = None) -> None:
        self.folder = folder
        self.score_before = score_before
        self.best = checkpoint_rank(-1.0, None)
        self.best_epoch = -1

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the network as it is before its first epoch, where it is worth keeping."""
        # Of several processes only the first knows; all of them have to save.
        score_before = trainer.strategy.broadcast(self.score_before)
        if score_before is not None and trainer.global_step == 0:
            self.best = checkpoint_rank(score_before, None)
            trainer.save_checkpoint(self.folder / BEST)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save; Lightning calls checkpoint callbacks after all others."""
        metrics = trainer.callback_metrics
        its = checkpoint_rank(float(metrics["val_macro_f1"]), float(metrics["val_loss"]))
        if its > self.best:
            self.best, self.best_epoch = its, trainer.current_epoch
            trainer.save_checkpoint(self.folder / BEST)
        trainer.save_checkpoint(self.folder / LAST)

    def state_dict(self) -> dict[str, Any]:
        """Return what must survive an interruption."""
        return {"best": list(self.best), "best_epoch": self.best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it up again."""
        score, loss = state_dict["best"]
        self.best, self.best_epoch = (score, loss), state_dict["best_epoch"]


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint to the CPU; no code in it is ever run.

    Raises:
        RunError: the file is missing, damaged, or no checkpoint.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise RunError(
            f"The checkpoint {path} is damaged or missing: {reason}. Train again with another --out."
        ) from None
    if not isinstance(content, dict) or not {"state_dict", "epoch", "global_step", "callbacks"} <= content.keys():
        raise RunError(f"{path} is no checkpoint of a leafid run. Train again with another --out.")
    return content


def is_complete(checkpoint: dict[str, Any], max_epochs: int) -> bool:
    """Tell whether training had come to its end, by its last epoch or by early stopping, when this was written."""
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
    """Remove what a killed run left half-written."""
    for partial in folder.glob(".*.partial"):
        os.unlink(partial)
