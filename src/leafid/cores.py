"""CPU cores: how many this process may use, and which libraries must not use more of them by themselves."""

import os


def usable_cores() -> int:
    """Return the number of cores this process may use; a container or cluster job may have fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_libraries_to_one_thread() -> None:
    """Let OpenCV and numpy's OpenBLAS calculate each call in the thread that makes it.

    leafid works on as many images at once as there are cores. Threads of the libraries beside these wait for work
    without sleeping, which takes time from the others. Call it before OpenCV or numpy is imported. A variable that the
    user has set is kept.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
