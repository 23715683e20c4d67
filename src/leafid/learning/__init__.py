"""Samples, augmentation, network and training: from a catalog to a run, and from a run to a bundle."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from leafid.jobs import Job
from leafid.learning.augmented_look import look_at_augmentation
from leafid.learning.bags import Bags
from leafid.learning.devices import choose_device
from leafid.learning.folds import folds_of_series, known_elsewhere
from leafid.learning.frozen import frozen
from leafid.learning.inference import FileAnswers, answers_of
from leafid.learning.model_card import model_card
from leafid.learning.network import Answers, Network, build_network, network_of
from leafid.learning.out_of_fold import discriminant, logits_out_of_fold
from leafid.learning.preparing import StoredViews, prepare_job
from leafid.learning.run import Run, RunInfo
from leafid.learning.run_images import answers_for, copies_for
from leafid.learning.stored_views import first_views, views_as_identified

if TYPE_CHECKING:
    from leafid.learning.sweeping import Trial

__all__ = [
    "Answers",
    "Bags",
    "FileAnswers",
    "Network",
    "Run",
    "RunInfo",
    "StoredViews",
    "answers_for",
    "answers_of",
    "best_of",
    "build_network",
    "choose_device",
    "copies_for",
    "discriminant",
    "first_views",
    "folds_of_series",
    "frozen",
    "known_elsewhere",
    "logits_out_of_fold",
    "look_at_augmentation",
    "model_card",
    "network_of",
    "prepare_job",
    "sweep",
    "train",
    "views_as_identified",
]


def train(job: Job, *, run: Path, resume: bool = False) -> Run:
    """Train the network of a job; see ``leafid.learning.training.train``.

    Lightning is imported here and not above: identification uses this package without it, and starts seconds earlier.
    """
    from leafid.learning.training import train as train_job

    return train_job(job, run=run, resume=resume)


def sweep(job: Job, *, out: Path) -> "Iterator[Trial]":
    """Search over the settings of a job; see ``leafid.learning.sweeping.sweep``."""
    from leafid.learning.sweeping import sweep as sweep_job

    return sweep_job(job, out=out)


def best_of(job: Job, *, out: Path) -> "Trial | None":
    """Return the best trial of a sweep; see ``leafid.learning.sweeping.best_of``."""
    from leafid.learning.sweeping import best_of as best_of_sweep

    return best_of_sweep(job, out=out)
