"""Fills the pages with what the code declares: reasons, settings, columns, commands, the REST interface.

A page says where with a line such as ``<!-- generated: reasons -->``; it is replaced by Markdown when the page is read,
so nothing generated is stored.
"""

import re
from collections.abc import Callable

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from generated_pages.columns import catalog_columns, character_columns, result_columns
from generated_pages.command_reference import commands
from generated_pages.job_keys import job_keys
from generated_pages.python_names import python_names
from generated_pages.reasons import (
    failure_reasons,
    not_measured_reasons,
    source_failure_reasons,
    undetermined_reasons,
)
from generated_pages.rest_interface import rest_interface

GENERATORS: dict[str, Callable[[], str]] = {
    "undetermined reasons": undetermined_reasons,
    "failure reasons": failure_reasons,
    "source failure reasons": source_failure_reasons,
    "not measured reasons": not_measured_reasons,
    "job keys": job_keys,
    "catalog columns": catalog_columns,
    "result columns": result_columns,
    "character columns": character_columns,
    "commands": commands,
    "rest interface": rest_interface,
    "python names": python_names,
}
"""What a page can ask for."""

_MARK = re.compile(r"^<!-- generated: (.+) -->$", re.MULTILINE)


def fill(text: str) -> str:
    """Return the source of a page with its generated parts.

    Raises:
        ExtensionError: the page asks for something that is not in ``GENERATORS``.
    """

    def generated(mark: re.Match[str]) -> str:
        if mark[1] not in GENERATORS:
            raise ExtensionError(f"nothing generates {mark[1]!r}; there is {', '.join(GENERATORS)}")
        return GENERATORS[mark[1]]()

    return _MARK.sub(generated, text)


def _fill_page(_: Sphinx, __: str, source: list[str]) -> None:
    source[0] = fill(source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Let Sphinx fill each page after reading it."""
    app.connect("source-read", _fill_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
