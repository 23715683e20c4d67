"""Freed memory stays with the process while a network is trained, and no longer."""

import subprocess
import sys

import pytest

MEASURE = """
import resource, sys
import torch
from leafid.learning.kept_memory import give_memory_back, keep_freed_memory

def resident() -> int:
    return int(open("/proc/self/statm").read().split()[1])

def faults() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(50_000_000 // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

usual = min(faults() for _ in range(4))
keep_freed_memory()
kept = min(faults() for _ in range(4))
held = resident()
give_memory_back()
print(usual, kept, held - resident(), min(faults() for _ in range(4)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only the C library of GNU/Linux is told to keep memory")
def test_memory_is_cleared_once_while_it_is_kept_and_given_back_afterwards() -> None:
    printed = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, check=True, text=True).stdout
    usual, kept, given_back, afterwards = map(int, printed.split())
    assert 4 * kept < usual
    assert given_back > 0.5 * usual
    assert 4 * kept < afterwards
