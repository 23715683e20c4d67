"""Freed memory stays with the process, so that the next step need not have it cleared again."""

import subprocess
import sys

import pytest

MEASURE = """
import resource, sys
import torch
from leafid.learning.kept_memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
faults = []
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(50_000_000 // 4)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(min(faults[1:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only the C library of GNU/Linux is told to keep memory")
def test_memory_that_was_freed_is_not_cleared_again() -> None:
    kept, given_back = (
        int(subprocess.run([sys.executable, "-c", MEASURE, how], capture_output=True, check=True, text=True).stdout)
        for how in ("kept", "given back")
    )
    assert 4 * kept < given_back
