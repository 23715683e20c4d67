"""Read YAML 1.2 scalars with line numbers: ``NO`` is a string, ``1e-4`` a number, a repeated key a mistake.

PyYAML follows YAML 1.1. This loader resolves scalars by the core schema of YAML 1.2 instead (yaml.org/spec/1.2.2,
section 10.3).
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from leafid.errors import JobError
from leafid.jobs.mistakes import Key, Mistake


class _CoreLoader(yaml.SafeLoader):
    """SafeLoader with the implicit scalars of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 -- PyYAML's


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
):
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))


def _decimal(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    """Read 010 as ten; YAML 1.1 reads it as octal."""
    return int(node.value, 16 if node.value.startswith("0x") else 10)


_CoreLoader.add_constructor("tag:yaml.org,2002:int", _decimal)


class _CoreDumper(yaml.SafeDumper):
    """SafeDumper that quotes every string that the loader would resolve to another type, such as ``08``."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {  # noqa: RUF012 -- PyYAML's
        first: [
            *_CoreLoader.yaml_implicit_resolvers.get(first, []),
            *yaml.SafeDumper.yaml_implicit_resolvers.get(first, []),
        ]
        for first in {*_CoreLoader.yaml_implicit_resolvers, *yaml.SafeDumper.yaml_implicit_resolvers}
    }


def write_yaml(content: dict[str, Any]) -> str:
    """Write plain values as YAML with the same meaning for ``read_yaml`` and for readers of YAML 1.1."""
    return yaml.dump(content, Dumper=_CoreDumper, sort_keys=False, allow_unicode=True, width=120)


@dataclass
class Lines:
    """Location of each value of a job: a line number, or the text of an override."""

    _locations: dict[Key, int | str] = field(default_factory=dict)

    def add(self, key: Key, line: int) -> None:
        """Record that ``key`` is on ``line``, counted from 1."""
        self._locations[key] = line

    def override(self, key: Key, text: str) -> None:
        """Record that ``key`` comes from the command line."""
        self._locations[key] = text

    def graft(self, at: Key, other: "Lines") -> None:
        """Add the locations of a file that is included at ``at``."""
        for key, line in other._locations.items():
            self._locations[at + key] = line

    def of(self, key: Key) -> int | str:
        """Return the location of ``key``, or else of the nearest enclosing section."""
        while key and key not in self._locations:
            key = key[:-1]
        return self._locations.get(key, 1)


MAX_VALUES = 100_000
"""Values of a document, with aliases counted as often as they are used: a file of 340 bytes can name billions."""

MAX_DEPTH = 50
"""Nested sections and lists; jobs have five."""


def read_yaml(path: Path, *, text: str | None = None, mapping: bool = True) -> tuple[Any, Lines, list[Mistake]]:
    """Read one YAML document.

    Args:
        path: the file, also named in messages.
        text: read this instead of the file.
        mapping: the document must be a mapping.

    Returns:
        The content, the locations of its values, and its mistakes (repeated keys).

    Raises:
        JobError: the file cannot be read, is not YAML, or is not a mapping.
    """
    if text is None:
        text = _read_text(path)
    try:
        loader = _CoreLoader(text)
        node = loader.get_single_node()
        lines, mistakes = Lines(), list[Mistake]()
        if node is not None:
            _check_size(path, node)
            _collect_lines(node, (), lines, mistakes)
        content = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise JobError(f"{path}:{line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise JobError(f"{path}: not valid YAML: {error}") from None
    except ValueError as error:
        raise JobError(f"{path}: a value cannot be read: {error}") from None
    except RecursionError:  # brackets nested so deeply that the parser gives up
        raise JobError(f"{path}: values are nested more than {MAX_DEPTH} deep. Is this a job file?") from None
    if mapping and not isinstance(content, dict):
        raise JobError(f"{path}: expected keys and values such as 'name: my-job', found {_kind(content)}.")
    return content, lines, mistakes


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise JobError(f"There is no file {path}. Relative paths start at the current folder, {Path.cwd()}.") from None
    except IsADirectoryError:
        raise JobError(f"{path} is a folder; name the job file in it.") from None
    except UnicodeDecodeError as error:
        if path.suffix.lower() not in (".yaml", ".yml"):
            raise JobError(f"{path} is not a job file, which is text and ends in .yaml.") from None
        raise JobError(f"{path}: not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
    except OSError as error:
        raise JobError(f"{path} cannot be read: {error.strerror}.") from None


def _check_size(path: Path, root: yaml.Node) -> None:
    """Refuse a document whose aliases expand without end or beyond ``MAX_VALUES``, before it is expanded."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node, depth: int) -> int:
        key, line = id(node), node.start_mark.line + 1
        if key in open_nodes:
            raise JobError(
                f"{path}:{line}: an alias (*name) stands inside the value that it names. Write the value out."
            )
        if depth > MAX_DEPTH:
            raise JobError(f"{path}:{line}: values are nested more than {MAX_DEPTH} deep. Is this a job file?")
        if key not in sizes:
            open_nodes.add(key)
            children = node.value if isinstance(node, yaml.CollectionNode) else []
            flat = [one for pair in children for one in pair] if isinstance(node, yaml.MappingNode) else children
            sizes[key] = 1 + sum(size(child, depth + 1) for child in flat)
            open_nodes.remove(key)
        if sizes[key] > MAX_VALUES:
            raise JobError(
                f"{path}:{line}: more than {MAX_VALUES:,} values, counting aliases (*name). Shorten the file."
            )
        return sizes[key]

    size(root, 0)


def _collect_lines(node: yaml.Node, key: Key, lines: Lines, mistakes: list[Mistake]) -> None:
    """Record the line of every value, and a mistake for every repeated key."""
    lines.add(key, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            name, line = str(key_node.value), key_node.start_mark.line + 1
            if name in first:
                mistakes.append(
                    Mistake(line, f"{'.'.join(map(str, (*key, name)))} is given twice, first on line {first[name]}")
                )
            first.setdefault(name, line)
            _collect_lines(value_node, (*key, name), lines, mistakes)
            lines.add((*key, name), line)
    elif isinstance(node, yaml.SequenceNode):
        for index, value_node in enumerate(node.value):
            _collect_lines(value_node, (*key, index), lines, mistakes)


def _kind(content: object) -> str:
    return "an empty file" if content is None else f"a {type(content).__name__}"
