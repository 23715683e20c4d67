"""Count the CPU cores available to this process; a container or cluster job may have fewer than the machine."""

import os


def usable_cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
