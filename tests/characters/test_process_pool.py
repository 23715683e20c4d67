"""Images are measured in processes, or one after the other where a machine cannot start any."""

import shlex
import subprocess
import sys

import pytest

PROGRAM = """
import logging
from leafid.characters.process_pool import map_in_processes
logging.basicConfig()
print(list(map_in_processes(str, [1, 2, 3], 2, repr)))
"""
WITHOUT_SHARED_MEMORY = "mount -t tmpfs -o ro,size=4k tmpfs /dev/shm"


def _isolated(command: str) -> "subprocess.CompletedProcess[str]":
    words = ["unshare", "--map-root-user", "--mount", "bash", "-c", f"{WITHOUT_SHARED_MEMORY} && {command}"]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)


def test_without_shared_memory_images_are_measured_one_after_the_other() -> None:
    try:
        allowed = _isolated("true").returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("needs unshare and the right to mount")
    done = _isolated(f"{shlex.quote(sys.executable)} -c {shlex.quote(PROGRAM)}")
    assert done.stdout == "['1', '2', '3']\n", done.stderr
    assert "Read-only file system" in done.stderr
