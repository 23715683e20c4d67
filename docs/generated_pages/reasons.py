"""Tables of the reasons for an answer without a name: code, what it means, what to do.

Reasons of photos that could be read are explained by the texts of the page of ``leafid serve``; those of files that
could not, by the strings below their codes.
"""

import ast
import inspect
from enum import StrEnum
from textwrap import dedent

from leafid.characters import NotMeasuredReason
from leafid.errors import FailureReason
from leafid.serve.wording import texts
from leafid.sources.source_result import SourceFailureReason
from leafid.trust.decision import UndeterminedReason


def undetermined_reasons() -> str:
    """Return the table for photos that could be read."""
    words = texts("en")
    return _table([(code, words[f"reason_{code}"], words[f"advice_{code}"]) for code in UndeterminedReason])


def failure_reasons() -> str:
    """Return the table for files that could not be read."""
    return _table(_explained(FailureReason))


def source_failure_reasons() -> str:
    """Return the table for files and rows that ``leafid collect`` leaves out."""
    return _table(_explained(SourceFailureReason))


def not_measured_reasons() -> str:
    """Return the table for leaves that were not measured."""
    rows = [f"| `{code}` | {code.words[0].upper()}{code.words[1:]}. |" for code in NotMeasuredReason]
    return "\n".join(["| reason | what it means |", "| --- | --- |", *rows]) + "\n"


def _explained(codes: type[StrEnum]) -> list[tuple[str, str, str]]:
    """Read what the strings below the codes say; Python does not keep them."""
    (definition,) = ast.parse(dedent(inspect.getsource(codes))).body
    assert isinstance(definition, ast.ClassDef)
    rows = []
    for member, text in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(member, ast.Assign) and isinstance(text, ast.Expr):
            (name,) = member.targets
            assert isinstance(name, ast.Name)
            meaning, advice = inspect.cleandoc(ast.literal_eval(text.value)).split("\n\n")
            rows.append((codes[name.id].value, meaning, advice.replace("``", "`")))
    return rows


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = [f"| `{code}` | {meaning} | {advice} |" for code, meaning, advice in rows]
    return "\n".join(["| reason | what it means | what to do |", "| --- | --- | --- |", *lines]) + "\n"
