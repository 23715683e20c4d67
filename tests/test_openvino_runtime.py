"""OpenVINO is imported once and whole, whichever thread asks for it first."""

import subprocess
import sys

import pytest

PROGRAM = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from leafid.openvino_runtime import import_openvino

together = Barrier(4)

def used(_):
    together.wait()
    openvino = import_openvino()
    openvino.Tensor(openvino.Type.f32, openvino.Shape([4])).data[:] = 1  # could wait for ever where all came first
    return openvino.Core.__name__

with ThreadPoolExecutor(4) as pool:
    print(set(pool.map(used, range(4))))
"""


def test_threads_that_import_it_together_get_the_whole_module() -> None:
    pytest.importorskip("openvino")
    finished = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    assert finished.stdout == "{'Core'}\n", finished.stderr
