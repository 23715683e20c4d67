"""Prints the figures of the harness at the end of the run."""

import pytest

from tests.faults.figures import table


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    if lines := table():
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.line(line)
