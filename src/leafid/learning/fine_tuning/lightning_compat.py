"""What Lightning and torch do beside training that a user should not have to see or suffer."""

import logging
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from leafid.errors import RunError


@contextmanager
def readable_errors() -> Iterator[None]:
    """Say what went wrong in a process that reads images, in place of its traceback."""
    try:
        yield
    except RunError as error:
        # torch wraps an error of a worker process into its traceback; the last line is the message.
        raise RunError(str(error).strip().splitlines()[-1].removeprefix("leafid.errors.RunError: ")) from None
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise RunError(
            "A process that reads images was stopped from outside, perhaps for want of memory. Go on with --resume; "
            "fewer such processes: --set training.workers=1"
        ) from None


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C through as what it is: Lightning turns it into an exit with code 1 and ignores it from then on."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        raise KeyboardInterrupt from None
    finally:
        if handler is not None:
            signal.signal(signal.SIGINT, handler)


CHATTER = (
    ".*treespec.*",  # a deprecation inside Lightning
    ".*does not have many workers.*",  # the job says how many
    ".*smaller than the logging interval.*",  # small sets are common here
    ".*Experiment logs directory.*",
)
"""Warnings of Lightning that ask nothing of the user."""


@contextmanager
def quiet(patterns: Sequence[str] = CHATTER) -> Iterator[None]:
    """Hold back what Lightning says about itself."""
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
