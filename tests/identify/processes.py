"""Real processes that identify, and that can be killed. They fork from a server that has imported torch already."""

import multiprocessing
import os
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal

from leafid.identify import Existing, Identifier, find_inputs, identify_to_file

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.identify.processes", "leafid.learning"])

NOBODY = 65534


def start(
    bundle: Path, inputs: list[str], output: Path, existing: Existing, *, user: Literal["same", "nobody"] = "same"
) -> BaseProcess:
    """Start a process that identifies into a file and ends with the exit code of the command."""
    process = _CONTEXT.Process(target=_identify, args=(bundle, inputs, output, existing, user))
    process.start()
    return process


def _identify(bundle: Path, inputs: list[str], output: Path, existing: Existing, user: str) -> None:
    import torch

    # Where the suite runs in the background, Ctrl-C is ignored from the start, and so it would be here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(1)
    identifier = Identifier.load(bundle, device="cpu")
    if user == "nobody" and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    summary = identify_to_file(
        identifier, find_inputs(inputs).paths, output, existing=existing, batch_size=4, workers=2
    )
    os._exit(summary.exit_code)
