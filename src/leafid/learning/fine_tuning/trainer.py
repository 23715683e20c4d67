"""Lightning's trainer, configured by a job."""

import sys

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from leafid.jobs import Job
from leafid.learning.devices import lightning_precision
from leafid.learning.distributed import DistributedRank
from leafid.learning.fine_tuning.checkpoints import AtomicCheckpointIO
from leafid.learning.run import Run


def build_trainer(
    job: Job, run: Run, device: torch.device, callbacks: list[Callback], resumed_steps: int, *, parts: int = 1
) -> Trainer:
    """Build the trainer of a run.

    Args:
        job: defines devices, epochs and precision.
        run: the logs are written to its folder.
        device: to train on.
        callbacks: in their order; a progress bar is added if standard error is a terminal.
        resumed_steps: steps before an interruption; log entries after them are deleted.
        parts: batches whose gradients are added before the weights change.

    Raises:
        UsageError: the device does not support the precision.
    """
    training = job.training
    # With deterministic algorithms torch fills all new memory with NaN, which slows every step down. Nothing here reads
    # memory before writing it.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    terminal, distributed = sys.stderr.isatty(), DistributedRank.of(training).is_distributed
    bar = [RichProgressBar(leave=False, console_kwargs={"stderr": True})] if terminal else []
    return Trainer(
        accelerator={"cuda": "gpu"}.get(device.type, device.type),
        devices=training.devices,
        num_nodes=training.nodes,
        strategy="ddp" if distributed else "auto",
        sync_batchnorm=distributed and device.type == "cuda",  # torch supports it on GPUs only
        precision=lightning_precision(training, device),  # type: ignore[arg-type]
        max_epochs=training.max_epochs,
        accumulate_grad_batches=parts,
        gradient_clip_val=training.gradient_clip,
        # Where an operation has no deterministic implementation on a GPU, torch warns and continues.
        deterministic="warn" if training.deterministic else False,
        benchmark=not training.deterministic,
        callbacks=[*callbacks, *bar],
        plugins=[AtomicCheckpointIO()],
        logger=[
            TensorBoardLogger(run.logs, name="tensorboard", version="", purge_step=resumed_steps or None),
            CSVLogger(run.logs, name="csv", version=f"start_{run.info.resumed}"),
        ],
        log_every_n_steps=10,
        default_root_dir=run.folder,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_model_summary=False,
        enable_progress_bar=terminal,
    )
