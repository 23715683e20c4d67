"""Searching over settings: each trial is an ordinary run of the job with other settings, judged on val.

The study lies in one SQLite file, so that an interrupted search goes on, and several processes can share one. Trials
that fall behind the median of the others at the same epoch are stopped early.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leafid.errors import UsageError
from leafid.jobs import Job, Range, with_settings
from leafid.learning.run import Run
from leafid.learning.training import train

STUDY = "study.db"
GOOD_BEFORE_PRUNING = 4
"""Trials that are finished before any is stopped early; a median of fewer says little."""


@dataclass(frozen=True)
class Trial:
    """One combination of settings, and how good it was; ``val_macro_f1`` is missing where it was stopped early."""

    number: int
    settings: dict[str, Any]
    val_macro_f1: float | None
    run: Path


def sweep(job: Job, *, out: Path) -> Iterator[Trial]:
    """Try what the job's ``sweep`` asks for; yield each trial as it ends. Trials that are there are not repeated.

    Args:
        job: a job with a section ``sweep``; its catalog must have been collected.
        out: folder of the study and of the trials' runs.

    Raises:
        UsageError: the job has no section ``sweep``, Optuna is not installed, or a setting is unknown or impossible.
        CatalogError, SplitError, RunError, WeightsError: as ``train``.
    """
    if job.sweep is None:
        raise UsageError(f"The job {job.name} has no section `sweep`; it says which settings to search, and how far.")
    study = _study(job, out)
    while len(study.get_trials(deepcopy=False)) < job.sweep.trials:
        yield _one(job, study, out)


def best_trial(job: Job, *, out: Path) -> Trial | None:
    """Return the best trial of a sweep; None: none was finished."""
    study = _study(job, out)
    finished = [trial for trial in study.trials if trial.value is not None and trial.state.name == "COMPLETE"]
    if not finished:
        return None
    best = max(finished, key=lambda trial: trial.value)
    return Trial(best.number, best.params, best.value, _folder(out, best.number))


def _one(job: Job, study: Any, out: Path) -> Trial:  # noqa: ANN401 -- Optuna is loaded when needed
    import optuna

    assert job.sweep is not None
    trial = study.ask()
    settings = {name: _suggested(trial, name, choices) for name, choices in job.sweep.space.items()}
    folder = _folder(out, trial.number)

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
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    out.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        study_name=job.name,
        storage=f"sqlite:///{out / STUDY}",
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=job.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=GOOD_BEFORE_PRUNING, n_warmup_steps=2),
    )


def _folder(out: Path, number: int) -> Path:
    return out / f"trial-{number:03d}"
