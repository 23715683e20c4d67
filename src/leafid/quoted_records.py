"""Records of text with quoted values: a value may span lines, and a quote that is never closed costs one line."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

MAX_RECORD_CHARACTERS = 1_000_000
"""Longest record of several lines; descriptions have up to some ten thousand characters."""
MAX_SEARCHED = 10_000_000
"""Characters of one file that are searched in vain for closing quotes; then records of several lines are failures.
Without a bound, a file of open quotes would take time quadratic in its length."""

csv.field_size_limit(2**31 - 1)  # of the whole process; csv's 131,072 is less than the photos of a large plant as JSON


def quoted_records(
    lines: Iterable[str], delimiter: str, quote: str, width: int | None = None
) -> Iterator[tuple[int, list[str] | str]]:
    """Yield (first line, fields) of each record, or (line, reason) for a line that cannot be read.

    A quoted value may contain line ends. A quote that is never closed costs its line alone.

    Args:
        lines: the lines with their ends.
        delimiter: between fields; of several characters, the first counts where a line contains quotes.
        quote: one character; doubled inside a quoted value.
        width: number of fields of every record, by which a record of several lines is recognised; None: of any number.
    """
    reader = _Lines(lines)
    searched = 0
    for line in reader:
        number = reader.number
        content = line.rstrip("\r\n")
        if quote not in content:
            if content:
                yield number, content.split(delimiter)
            continue
        fields = _parsed([line], delimiter, quote)
        if fields is not None:
            yield number, fields
            continue
        following: list[str] = []
        characters = 0
        if searched < MAX_SEARCHED:
            for more in reader:
                following.append(more)
                characters += len(more)
                # An odd number of quotes ends the open value, and opens none after it.
                if more.count(quote) % 2 or characters > MAX_RECORD_CHARACTERS:
                    break
        fields = _strictly_parsed([line, *following], delimiter, quote) if following else None
        if fields is None or (width is not None and len(fields) != width):
            reader.push_back(following)
            searched += characters
            yield number, "a quote is opened and never closed"
        else:
            yield number, fields


class _Lines:
    """Lines that can be pushed back; ``number`` is that of the last line."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._again: deque[str] = deque()
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.number += 1
        return line

    def push_back(self, lines: Sequence[str]) -> None:
        self._again.extendleft(reversed(lines))
        self.number -= len(lines)


def _parsed(lines: list[str], delimiter: str, quote: str) -> list[str] | str | None:
    """Return the fields of one line, the reason why it cannot be read, or None if a quote is left open."""
    fields = _strictly_parsed(lines, delimiter, quote)
    if fields is not None:
        return fields
    try:
        lenient = list(csv.reader(lines, delimiter=delimiter[:1], quotechar=quote))
    except csv.Error as error:
        return str(error)
    # Text after a closing quote is kept; an open quote swallows the line end.
    return None if not lenient or "\n" in lenient[0][-1] or "\r" in lenient[0][-1] or len(lenient) > 1 else lenient[0]


def _strictly_parsed(lines: list[str], delimiter: str, quote: str) -> list[str] | None:
    try:
        rows = list(csv.reader(lines, delimiter=delimiter[:1], quotechar=quote, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None
