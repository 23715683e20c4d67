"""What a page of the documentation tells its reader to do: files to write and commands to type, in order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"

_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>file|not run): (?P<text>.+?) -->\n)?^```(?P<language>\w+)\n(?P<content>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Step:
    """One block of a page.

    Attributes:
        language: ``shell`` for commands, ``python``, ``yaml`` or ``text``.
        content: the block.
        file: name of the file that the reader writes; None if the block is none.
        not_run: why the test does not run it; None if it does.
    """

    language: str
    content: str
    file: str | None = None
    not_run: str | None = None

    @property
    def commands(self) -> list[str]:
        """The commands of a block of commands, one a line."""
        return self.content.splitlines() if self.language == "shell" else []


def steps_of(page: Path) -> Iterator[Step]:
    """Yield the blocks of a page."""
    for found in _FENCE.finditer(page.read_text(encoding="utf-8")):
        file, not_run = (found["text"] if found["mark"] == mark else None for mark in ("file", "not run"))
        yield Step(found["language"], found["content"], file, not_run)
