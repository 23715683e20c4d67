"""Hyperparameter search: each trial is an ordinary run of the job with other settings, compared by macro-F1 on val.

The study is one SQLite file, so that an interrupted search can be resumed and several processes can share it. Trials
below the median of the others at the same epoch are stopped early (pruned).
"""

import hashlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from leafid.destinations import Destination, check_destinations, contains_only
from leafid.errors import UsageError
from leafid.jobs import Job, Range, SweepSettings, with_settings
from leafid.learning.run import Run
from leafid.learning.training import train

log = logging.getLogger(__name__)

STUDY = "study.db"
TRIALS_BEFORE_PRUNING = 4
"""Trials that must finish before any is pruned; the median of fewer is unreliable."""


@dataclass(frozen=True)
class Trial:
    """One combination of settings and its macro-F1 on val; None: it was pruned."""

    number: int
    settings: dict[str, Any]
    val_macro_f1: float | None
    run: Path


def sweep(job: Job, *, out: Path) -> Iterator[Trial]:
    """Run the job's ``sweep``; yield each trial as it ends. Trials that the study already has are not repeated.

    Where the space has lists only and no more combinations than trials, each combination is tried once.

    Args:
        job: a job with a section ``sweep``; its catalog must have been collected.
        out: folder of the study and of the trials' runs.

    Raises:
        UsageError: the job has no section ``sweep``, or Optuna is not installed.
        JobError: a setting is unknown, or its value is not allowed.
        OutputError: the folder cannot be written, or has other files than those of a sweep.
        CatalogError, SplitError, RunError, WeightsError: as ``train``.
    """
    if job.sweep is None:
        raise UsageError(f"The job {job.name} has no section `sweep`. Add one with the settings to search.")
    known = contains_only(rf"{re.escape(STUDY)}.*", r"\.?trial-\d+.*")
    check_destinations([Destination("--out", out, known, "folder")], existing="resume")
    study = _study(job, out)
    from optuna.trial import TrialState

    combinations = _combinations(job.sweep)
    for combination in combinations:
        study.enqueue_trial(combination, skip_if_exists=True)
    begun = [state for state in TrialState if state != TrialState.WAITING]
    trials = len(combinations) or job.sweep.trials
    if trials < job.sweep.trials:
        log.warning("The space of the sweep has %d combinations: %d trials are enough.", trials, trials)
    while len(study.get_trials(deepcopy=False, states=begun)) < trials:
        yield _run_trial(job, study, out)


def best_trial(job: Job, *, out: Path) -> Trial | None:
    """Return the best trial of a sweep; None: no trial has finished."""
    study = _study(job, out)
    finished = [trial for trial in study.trials if trial.value is not None and trial.state.name == "COMPLETE"]
    if not finished:
        return None
    best = max(finished, key=lambda trial: trial.value)
    return Trial(best.number, best.params, best.value, _folder(out, study, best.number))


def _run_trial(job: Job, study: Any, out: Path) -> Trial:  # noqa: ANN401 -- Optuna is imported when needed
    import optuna

    assert job.sweep is not None
    trial = study.ask()
    settings = {name: _suggested(trial, name, choices) for name, choices in job.sweep.space.items()}
    folder = _folder(out, study, trial.number)

    def on_epoch(epoch: int, val_macro_f1: float) -> None:
        trial.report(val_macro_f1, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        run: Run = train(with_settings(job, settings), run=folder, on_epoch=on_epoch)
    except optuna.TrialPruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        return Trial(trial.number, settings, None, folder)
    except BaseException:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        raise
    study.tell(trial, run.info.val_macro_f1)
    return Trial(trial.number, settings, run.info.val_macro_f1, folder)


def _combinations(settings: SweepSettings) -> list[dict[str, Any]]:
    """Return all combinations of a space of lists; none if it has a range, or more combinations than trials."""
    choices = [values for values in settings.space.values() if not isinstance(values, Range)]
    if len(choices) < len(settings.space) or prod(map(len, choices)) > settings.trials:
        return []
    return [dict(zip(settings.space, values, strict=True)) for values in product(*choices)]


def _suggested(trial: Any, name: str, choices: Any) -> Any:  # noqa: ANN401
    if not isinstance(choices, Range):
        return trial.suggest_categorical(name, choices)
    log = choices.scale == "log"
    if choices.whole:
        return trial.suggest_int(name, round(choices.low), round(choices.high), log=log)
    return trial.suggest_float(name, choices.low, choices.high, log=log)


def _study(job: Job, out: Path) -> Any:  # noqa: ANN401
    try:
        import optuna
    except ImportError:
        raise UsageError("leafid sweep needs Optuna. Install it with: pip install 'leafid[sweep]'") from None
    assert job.sweep is not None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    out.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(f"sqlite:///{out / STUDY}")
    # A study cannot compare trials of other choices, so other choices are a study of their own in the same file.
    space = job.sweep.model_dump_json(include={"space"})
    name = f"{job.name}-{hashlib.sha256(space.encode()).hexdigest()[:12]}"
    others = [one for one in optuna.get_all_study_summaries(storage) if one.study_name != name]
    earlier = sum(one.n_trials for one in others)
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=TRIALS_BEFORE_PRUNING, n_warmup_steps=2),
    )
    if _FIRST_FOLDER not in study.user_attrs:
        study.set_user_attr(_FIRST_FOLDER, earlier)
        if earlier:
            log.warning(
                "The choices of the sweep have changed: its %d earlier trials in %s are not used.", earlier, out
            )
    # Without the number of trials, a search that continues would suggest its first settings again.
    study.sampler = optuna.samplers.TPESampler(seed=job.seed + len(study.trials))
    return study


_FIRST_FOLDER = "first folder"
"""Attribute of a study: the number of the folder of its first trial."""


def _folder(out: Path, study: Any, number: int) -> Path:  # noqa: ANN401
    return out / f"trial-{study.user_attrs[_FIRST_FOLDER] + number:03d}"
