"""Samples, augmentation, network and training: from a catalog to a run, and from a run to a bundle."""

from pathlib import Path

from leafid.jobs import Job
from leafid.learning.bags import Bags
from leafid.learning.devices import choose_device
from leafid.learning.inference import FileAnswers, answers_of
from leafid.learning.model_card import model_card
from leafid.learning.network import Answers, Network, build_network, network_of
from leafid.learning.preparing import StoredViews, prepare_job
from leafid.learning.run import Run, RunInfo

__all__ = [
    "Answers",
    "Bags",
    "FileAnswers",
    "Network",
    "Run",
    "RunInfo",
    "StoredViews",
    "answers_of",
    "build_network",
    "choose_device",
    "model_card",
    "network_of",
    "prepare_job",
    "train",
]


def train(job: Job, *, run: Path, resume: bool = False) -> Run:
    """Fine-tune the network of a job; see ``leafid.learning.training.train``.

    Lightning is imported here and not above: identification uses this package without it, and starts seconds earlier.
    """
    from leafid.learning.training import train as train_job

    return train_job(job, run=run, resume=resume)
