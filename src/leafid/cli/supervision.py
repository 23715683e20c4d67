"""A command that goes on after a decoder crashed its process: the image at fault gets a failed record.

The command works in a child process, which notes the images that it is working on (``leafid.images.in_flight``). When
the child dies of a segmentation fault or the like, this process opens each noted image in a process of its own, to see
which of them is at fault, and starts a new child that refuses it and continues the result. Reading images in threads of
one process stays as fast as it is; reading them in processes of their own would cost more than a tenth of the time of
large sheets, for the transfer of the pixels (docs/results.md).

On Linux only: elsewhere, a forked process may not use the frameworks of the system. A library that imports leafid is
not supervised.
"""

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from leafid.text import printable

CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
"""Signals by which code in C ends a process. Others come from outside, and end the command."""

_FORWARDED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
_UNEXPLAINED = 3
"""Crashes in succession for which no image can be found, after which the command ends."""

_PR_SET_PDEATHSIG = 1


_is_program = False


def supervise_program() -> None:
    """Let ``survive_crashes`` take effect in this process: it is the program, and no test or library."""
    global _is_program
    _is_program = sys.platform == "linux"


def survive_crashes(*, reads_list: bool = False) -> int:
    """Let the rest of the command run in a child process, and again in a new one if it crashes on an image.

    Call it before anything is read or written, and before threads start. Only child processes return from it; this
    process waits, hands on signals, and ends as the last child did.

    Args:
        reads_list: whether the command reads a list on standard input, which every child then can.

    Returns:
        How many child processes crashed before this one: from the second on, results are to be continued.
    """
    global _is_program
    if not _is_program:
        return 0
    from leafid.images import InFlight, note_images

    if reads_list:
        _keep_standard_input()
    in_flight, crashed = InFlight(), dict[str, str]()
    suspected: set[str] = set()
    crashes = unexplained = 0
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED | {signal.SIGCHLD})
    while True:
        for stream in (sys.stdout, sys.stderr):  # else both processes would write what is in them
            with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, full, or None
                stream.flush()
        child = os.fork()
        if child == 0:
            # `leafid demo` runs several commands: a process with the threads of torch must not be forked again.
            _is_program = False
            _die_with_parent()
            note_images(in_flight, crashed)
            if reads_list and sys.stdin is not None:
                os.lseek(sys.stdin.fileno(), 0, os.SEEK_SET)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            return crashes
        status = _status_of(child)
        images = in_flight.names()
        if os.WIFEXITED(status) or os.WTERMSIG(status) not in CRASHES or not images:
            _end_like(status, mask)
        what = signal.Signals(os.WTERMSIG(status)).name
        at_fault = _at_fault(images, suspected)
        unexplained = 0 if at_fault else unexplained + 1
        if unexplained == _UNEXPLAINED:
            _say(f"leafid: the program crashed ({what}) while it read {', '.join(images)}. Leave these images out.")
            _end_like(status, mask)
        for image in at_fault:
            crashed[image] = f"the decoder crashed on it ({what})"
            _say(f"{image}: the decoder crashed on it ({what}). The other images are not affected.")
        suspected = set(images)
        crashes += 1
        in_flight = InFlight()


def _at_fault(images: list[str], suspected: set[str]) -> list[str]:
    """Return which of the images in work made the process crash: those that do so again, else those seen twice."""
    again = [image for image in images if _crashes(image)]
    return again or (images if len(images) == 1 else [image for image in images if image in suspected])


def _keep_standard_input() -> None:
    """Replace standard input by a copy in memory, from which every child process can read it again."""
    import shutil

    if sys.stdin is None:
        return
    with open(os.memfd_create("list"), "w+b", buffering=0) as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
        os.dup2(kept.fileno(), sys.stdin.fileno())


def _status_of(child: int) -> int:
    """Wait for a child and hand on signals to it, except those of the keyboard, which it receives itself."""
    while True:
        received = signal.sigwaitinfo(_FORWARDED | {signal.SIGCHLD})
        if received.si_signo != signal.SIGCHLD:
            if received.si_code <= 0:  # sent by a process, to this one
                os.kill(child, received.si_signo)
            continue
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status


def _end_like(status: int, mask: set[signal.Signals] | set[int]) -> NoReturn:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.kill(os.getpid(), number)
    sys.exit(os.waitstatus_to_exitcode(status))


def _crashes(image: str) -> bool:
    """Open an image in a process of its own; return whether that crashes."""
    from leafid.images import open_image

    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            open_image(Path(image))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) in CRASHES


def _die_with_parent() -> None:
    """Let the system end this process when its parent is killed, so that nothing goes on writing unseen."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _say(message: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody listens
        print(printable(message), file=sys.stderr, flush=True)
