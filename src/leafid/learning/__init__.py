"""Data sets, augmentation, network and training: from a catalog to a run, and from a run to a bundle."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from leafid.jobs import Job
from leafid.learning.data.augmentation_preview import preview_augmentation
from leafid.learning.data.bags import Bags
from leafid.learning.data.prepare import StoredViews, prepare_job
from leafid.learning.devices import choose_device
from leafid.learning.inference import FilePredictions, predict_files
from leafid.learning.linear_probe.embeddings import LabelledEmbeddings
from leafid.learning.linear_probe.folds import blocked_folds, has_others_outside_fold
from leafid.learning.linear_probe.lda import lda_head
from leafid.learning.linear_probe.probe import out_of_fold_logits
from leafid.learning.model_card import model_card
from leafid.learning.models.batch_norm_fusion import fuse_batch_norm
from leafid.learning.models.network import Network, NetworkOutput, build_network, load_network
from leafid.learning.recipe import resolve_recipe
from leafid.learning.run import Run, RunInfo
from leafid.learning.run_samples import augmented_copy_embeddings, first_views, inference_views, predict_split

if TYPE_CHECKING:
    from leafid.learning.sweep import Trial

__all__ = [
    "Bags",
    "FilePredictions",
    "LabelledEmbeddings",
    "Network",
    "NetworkOutput",
    "Run",
    "RunInfo",
    "StoredViews",
    "augmented_copy_embeddings",
    "best_trial",
    "blocked_folds",
    "build_network",
    "choose_device",
    "first_views",
    "fuse_batch_norm",
    "has_others_outside_fold",
    "inference_views",
    "lda_head",
    "load_network",
    "model_card",
    "out_of_fold_logits",
    "predict_files",
    "predict_split",
    "prepare_job",
    "preview_augmentation",
    "resolve_recipe",
    "sweep",
    "train",
]


def train(job: Job, *, run: Path, resume: bool = False) -> Run:
    """Train the network of a job; see ``leafid.learning.training.train``.

    Lightning is imported here: identification uses this package without it, and starts seconds earlier.
    """
    from leafid.learning.training import train as train_job

    return train_job(job, run=run, resume=resume)


def sweep(job: Job, *, out: Path) -> "Iterator[Trial]":
    """Search over the settings of a job; see ``leafid.learning.sweep.sweep``."""
    from leafid.learning.sweep import sweep as sweep_job

    return sweep_job(job, out=out)


def best_trial(job: Job, *, out: Path) -> "Trial | None":
    """Return the best trial of a sweep; see ``leafid.learning.sweep.best_trial``."""
    from leafid.learning.sweep import best_trial as best_of_sweep

    return best_of_sweep(job, out=out)
