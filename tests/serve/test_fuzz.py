"""Requests drawn from the service's own description never make it fail."""

import subprocess
import sys
from pathlib import Path

from tests.faults.figures import LONG, SEED
from tests.serve.running import Running

EXAMPLES = 150 if LONG else 8
"""Of each operation; the long form makes over 1,000 requests."""


def test_no_request_is_answered_with_500(service: Running, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{service.address}/openapi.json",
        f"--max-examples={EXAMPLES}",
        "--checks=not_a_server_error",
        f"--seed={SEED}",
        "--no-color",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1000, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-4000:]
    assert service.client.get("/health").json()["in_work"] == 0
