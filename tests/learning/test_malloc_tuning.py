"""Freed memory stays with the process while it is to be kept, and is given back afterwards."""

import subprocess
import sys

import pytest

PAGES = 50_000_000 // 4096

MEASURE = """
import resource
import torch
from leafid.learning.fine_tuning.malloc_tuning import give_memory_back, keep_freed_memory

def resident() -> int:
    return int(open("/proc/self/statm").read().split()[1])

def faults() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(50_000_000 // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed_memory()
kept = min(faults() for _ in range(4))
held = resident()
give_memory_back()
print(kept, held - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only the C library of GNU/Linux is told to keep memory")
def test_memory_is_cleared_once_while_it_is_kept_and_given_back_afterwards() -> None:
    printed = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, check=True, text=True).stdout
    kept, given_back = map(int, printed.split())
    assert kept < PAGES / 4
    assert given_back > PAGES / 2
