"""Replace behaviour of Lightning and torch that is unhelpful to users: tracebacks of workers, signals, warnings."""

import logging
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from leafid.errors import RunError


@contextmanager
def reraise_worker_errors() -> Iterator[None]:
    """Re-raise an error of a DataLoader worker as a RunError with its message, without the worker's traceback."""
    try:
        yield
    except RunError as error:
        # torch puts the worker's traceback into the message of the error; its last line is the original message.
        raise RunError(str(error).strip().splitlines()[-1].removeprefix("leafid.errors.RunError: ")) from None
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise RunError(
            "A process that reads images was stopped from outside, perhaps because memory ran out. Continue with "
            "--resume; for fewer such processes: --set training.workers=1"
        ) from None


@contextmanager
def keyboard_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt at Ctrl-C; Lightning would exit with code 1 and ignore further ones."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        raise KeyboardInterrupt from None
    finally:
        if handler is not None:
            signal.signal(signal.SIGINT, handler)


IGNORED_WARNINGS = (
    ".*treespec.*",  # a deprecation inside Lightning
    ".*does not have many workers.*",  # the job sets their number
    ".*smaller than the logging interval.*",  # small data sets are common here
    ".*Experiment logs directory.*",
    ".*in eval mode at the start of training.*",  # frozen batch norm
)
"""Warnings of Lightning that need no action of the user."""


@contextmanager
def quiet_lightning(patterns: Sequence[str] = IGNORED_WARNINGS) -> Iterator[None]:
    """Suppress Lightning's messages below warnings, and these warnings."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for pattern in patterns:
                warnings.filterwarnings("ignore", message=pattern)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
