"""Malloc tuning: freed memory is kept while malloc is tuned, and returned afterwards."""

import subprocess
import sys

import pytest

PAGES = 50_000_000 // 4096

MEASURE = """
import resource
import torch
from leafid.learning.fine_tuning.malloc_tuning import reset_malloc, tune_malloc

def resident() -> int:
    return int(open("/proc/self/statm").read().split()[1])

def faults() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(50_000_000 // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

tune_malloc()
tuned = min(faults() for _ in range(4))
held = resident()
reset_malloc()
print(tuned, held - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is tuned")
def test_tuned_malloc_reuses_memory_without_page_faults_and_reset_returns_it() -> None:
    printed = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, check=True, text=True).stdout
    tuned, returned = map(int, printed.split())
    assert tuned < PAGES / 4
    assert returned > PAGES / 2
