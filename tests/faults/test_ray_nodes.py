"""A Ray cluster of two nodes loses one during a run: every input has one record."""

import os
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.faults.commands import Command, Run
from tests.faults.figures import figures_of, rounds
from tests.faults.image_seeds import drawn

IMAGES = rounds(40, 200)
ONE_MACHINE = {"num_cpus": 1, "object_store_memory": 100_000_000}

pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="leafid[ray] is not installed"),
    pytest.mark.timeout(rounds(300, 1200)),
]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start two nodes of one core each."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    started = import_module("ray.cluster_utils").Cluster(initialize_head=True, head_node_args=ONE_MACHINE)
    started.second = started.add_node(**ONE_MACHINE)
    started.wait_for_nodes()
    monkeypatch.setenv("RAY_ADDRESS", started.address)
    yield started
    started.shutdown()


def test_a_lost_machine_costs_no_record(
    cluster: Any,  # noqa: ANN401 -- Ray has no types
    all_commands: dict[str, Command],
    workplace: Path,
) -> None:
    for number in range(IMAGES):
        drawn(number).save(workplace / "photos" / f"more {number:03}.jpg")
    command, figures = all_commands["identify jsonl"], figures_of("Ray, one of two nodes lost")
    inputs = tuple(sorted(os.path.join("photos", name) for name in os.listdir(workplace / "photos")))
    words = (*command.words, "--engine-cluster", "ray")
    run = Run(Command("identify", words, command.outputs, inputs, command.records), workplace, None)
    while not run.has_records(8) and run.process.poll() is None:
        time.sleep(0.05)
    cluster.remove_node(cluster.second, allow_graceful=False)
    assert run.wait(figures) == command.exit_code, run.messages()
    figures.add_records(command.records(workplace), list(inputs))
    figures.check()
