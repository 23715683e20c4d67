"""One list of images for several machines: each takes its part, and none need know of the others."""

import re
from collections.abc import Sequence
from typing import TypeVar

from leafid.errors import UsageError

T = TypeVar("T")


def shard_of(paths: Sequence[T], shard: str) -> tuple[T, ...]:
    """Return part K of N of a list, all parts of the same length or one more; in order they are the whole list.

    Args:
        paths: the whole list, the same on every machine.
        shard: ``K/N`` such as ``3/16``, with K from 1 to N.

    Raises:
        UsageError: ``shard`` is something else.
    """
    found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", shard, flags=re.ASCII)
    number, parts = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= parts:
        raise UsageError(f"--shard {shard}: write which part of how many, such as 3/16; the first is 1/16.")
    return tuple(paths[(number - 1) * len(paths) // parts : number * len(paths) // parts])
