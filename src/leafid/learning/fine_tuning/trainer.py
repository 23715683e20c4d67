"""Lightning's trainer as a job asks for it."""

import sys

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from leafid.jobs import Job
from leafid.learning.devices import lightning_precision
from leafid.learning.distributed import DistributedRank
from leafid.learning.fine_tuning.checkpoints import DurableCheckpoints
from leafid.learning.run import Run


def build_trainer(job: Job, this: Run, device: torch.device, callbacks: list[Callback], resumed_steps: int) -> Trainer:
    """Build the trainer of a run.

    Args:
        job: says on how many devices, for how long, in which number format.
        this: the run, whose folder gets the logs.
        device: what to train on.
        callbacks: what happens beside the steps; a progress bar joins them where there is a terminal.
        resumed_steps: steps taken before; what was logged after them is taken back.

    Raises:
        UsageError: the device cannot train in the number format.
    """
    training = job.training
    # With deterministic algorithms torch writes NaN into all new memory, which nobody here reads before it is written,
    # and a training step takes a quarter longer.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    terminal, several = sys.stderr.isatty(), DistributedRank.of(training).several
    bar = [RichProgressBar(leave=False, console_kwargs={"stderr": True})] if terminal else []
    return Trainer(
        accelerator={"cuda": "gpu"}.get(device.type, device.type),
        devices=training.devices,
        num_nodes=training.nodes,
        strategy="ddp" if several else "auto",
        sync_batchnorm=several and device.type == "cuda",  # torch has it for GPUs only
        precision=lightning_precision(training, device),  # type: ignore[arg-type]
        max_epochs=training.max_epochs,
        gradient_clip_val=training.gradient_clip,
        # Where an operation has no deterministic form on a GPU, torch warns and goes on.
        deterministic="warn" if training.deterministic else False,
        benchmark=not training.deterministic,
        callbacks=[*callbacks, *bar],
        plugins=[DurableCheckpoints()],
        logger=[
            TensorBoardLogger(this.logs, name="tensorboard", version="", purge_step=resumed_steps or None),
            CSVLogger(this.logs, name="csv", version=f"start_{this.info.resumed}"),
        ],
        log_every_n_steps=10,
        default_root_dir=this.folder,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_model_summary=False,
        enable_progress_bar=terminal,
    )
