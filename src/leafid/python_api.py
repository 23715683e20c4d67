"""Functions of Python programs beside ``Identifier``: train, evaluate, bundles as torch modules, records as a table.

``import leafid`` imports none of this; a name is imported when it is first used.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from leafid import bundle as bundles
from leafid.identify import Record

if TYPE_CHECKING:
    import pandas as pd

    from leafid.jobs import Job
    from leafid.learning import Network, Run
    from leafid.trust import Evaluation


def train(
    job: "Path | str | Job",
    *,
    overrides: Sequence[str] = (),
    run: Path | str | None = None,
    resume: bool = False,
) -> "Run":
    """Train the network of a job on its catalog, calibrate it, and write run and bundle, as `leafid train`.

    Args:
        job: a job file, or a job; its catalog must have been collected (`leafid collect`).
        overrides: ``section.key=value`` strings that replace values of a job file.
        run: the run folder; None: ``runs/<job name>``.
        resume: continue the existing run after its last complete epoch.

    Returns:
        The run; its ``folder`` is for ``evaluate``, its ``bundle_folder`` for ``Identifier.load``.

    Raises:
        JobError: the job file has mistakes; all are listed.
        UsageError: ``overrides`` are given with a job that is no file.
        LeafidError: see ``leafid.learning.train`` and ``leafid.trust.calibrate``.
    """
    from leafid.errors import UsageError
    from leafid.installation import require_torch
    from leafid.jobs import load_job

    if isinstance(job, str | Path):
        job = load_job(Path(job), overrides)
    elif overrides:
        raise UsageError("overrides replace values of a job file. Change the job itself: job.model_copy(update=...).")
    require_torch()
    from leafid.learning import train as train_job
    from leafid.trust import calibrate

    trained = train_job(job, run=job.run_folder if run is None else Path(run), resume=resume)
    calibrate(trained.folder, device=job.training.device)
    return trained


def evaluate(run: Path | str, *, on: str = "test", device: str = "auto") -> "Evaluation":
    """Evaluate the bundle of a run on held-out images and write the results, as `leafid evaluate`.

    Args:
        run: the run folder, or the bundle in it.
        on: ``train``, ``val`` or ``test`` of the run's split.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Returns:
        The figures, such as ``macro_f1`` and ``accuracy``.

    Raises:
        LeafidError: see ``leafid.trust.evaluate``, which also has the rarer options.
    """
    from leafid.trust import evaluate as evaluate_run

    return evaluate_run(Path(run), on=on, device=device)


class Bundle(bundles.Bundle):
    """A bundle on disk, with its description (``info``) and its network."""

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read and check a bundle, or the bundle of a run; its weights are loaded when they are needed.

        Raises:
            BundleError: it is missing, damaged, foreign, or written by another version of leafid.
        """
        read = bundles.read_bundle(Path(path))
        return cls(read.folder, read.info)

    @cached_property
    def network(self) -> "Network":
        """The network, a torch module in eval mode on the CPU.

        It normalises colours itself. ``logits_of_views`` takes views as uint8 RGB (N, 3, S, S), S being
        ``info.preprocessing.size``, and returns logits (N, T), T taxa in the order of ``info.taxonomy.names``.
        Probabilities are ``softmax(logits / info.calibration.temperature)``.

        Raises:
            BundleError: the weights do not fit.
            InstallationError: torch is not installed.
        """
        from leafid.installation import require_torch

        require_torch()
        from leafid.learning import load_network

        return load_network(self)


def to_frame(records: Iterable[Record]) -> "pd.DataFrame":
    """Return records as a pandas table: one row per record, one column per field, as in a Parquet result.

    Args:
        records: from ``Identifier.identify`` or ``read_records``.

    Raises:
        InstallationError: pandas is not installed, which ``leafid[train]`` brings.
    """
    from leafid.installation import require_pandas

    require_pandas()
    import pandas as pd

    from leafid.identify.records import COLUMNS

    rows = [record.to_dict() for record in records]
    return pd.DataFrame(rows, columns=None if rows else [column.name for column in COLUMNS])
