"""Every command with its arguments and options, from what the commands declare."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer.main

from leafid.cli import app


def commands() -> str:
    """Return the commands as Markdown: a heading for each, a definition for each argument and option."""
    lines: list[str] = []
    for name, command in _all("leafid", typer.main.get_command(app)):
        context = command.make_context(name, [], resilient_parsing=True)
        lines += [f"## `{name}`", "", inspect.cleandoc(command.help or ""), ""]
        lines += ["```text", command.get_usage(context).removeprefix("Usage: "), "```", ""]
        for parameter in command.params:
            if (shown := parameter.get_help_record(context)) is not None:
                lines += [f"`{shown[0]}`", f": {_remark(shown[1])}", ""]
    return "\n".join(lines) + "\n"


def command_names() -> list[str]:
    """Return the names of all commands, such as ``leafid bundle pack``."""
    return [name for name, _ in _all("leafid", typer.main.get_command(app))]


def _all(name: str, command: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 -- typer brings its own click
    """Yield the commands that do something, each with its name; groups are opened."""
    for word, inner in getattr(command, "commands", {}).items():
        if inner.hidden:
            continue
        if hasattr(inner, "commands"):
            yield from _all(f"{name} {word}", inner)
        else:
            yield f"{name} {word}", inner


def _remark(text: str) -> str:
    """Turn what stands in brackets at the end, such as a default, into words that stand out."""
    return re.sub(r"\s*\[((?:default|required|\d|x)[^\]]*)\]$", r" *(\1)*", text) or "..."
