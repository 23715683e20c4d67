"""Records and summaries for the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leafid.errors import FailureReason
from leafid.identify.records import Record, Status, written_path
from leafid.identify.summary import Summary
from leafid.statements import LIMITS
from leafid.trust import UndeterminedReason

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

FEW = 40
"""Up to this many records are shown one by one; more go to a file."""

_COLOURS = {Status.IDENTIFIED: "green", Status.UNDETERMINED: "yellow", Status.FAILED: "red"}


def records_table(records: Sequence[Record], *, target: str | None = None) -> "RenderableType":
    """Show records, one row each, with their leaf characters and the statement of limits below.

    Args:
        records: in order.
        target: the bundle's target taxon; its score gets a column.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("image", overflow="fold", ratio=3)
    table.add_column("answer", ratio=3)
    table.add_column("probability", justify="right")
    if target is not None:
        table.add_column(Text(target, "italic bold"), justify="right")
    table.add_column("next", ratio=3)
    for record in records:
        cells = [Text(printable(record.path)), _answer(record), Text(_percent(record.probability))]
        if target is not None:
            cells.append(Text(_percent(record.target_probability)))
        table.add_row(*cells, Text(_others(record)))
    leaves = [
        Text(f"{printable(record.path)}: {printable(record.flora_sentence)}")
        for record in records
        if record.flora_sentence is not None
    ]
    return Group(table, *([Text(), *leaves] if leaves else []), Text(), Text(LIMITS, "dim"))


def record_line(record: Record) -> "Text":
    """Show a record in one line: the image, the answer and its score."""
    from rich.text import Text

    return Text(" ").join([Text(printable(record.path)), _answer(record), Text(_percent(record.probability))])


def summary_table(summary: Summary) -> "RenderableType":
    """Show what a run comes to: images by status, by taxon, and why images have no name."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right")
    table.add_column()
    for status, count in summary.statuses.items():
        if count:
            table.add_row(str(count), Text(status, _COLOURS[status]))
            for words, number in _detail(summary, status).items():
                table.add_row("", Text(f"{number:>7,}  {printable(words)}"))
    done = summary.images - summary.earlier
    speed = f"{done:,} images in {summary.seconds:.1f} s ({summary.images_per_second:.1f} images/s)"
    before = f"; {summary.earlier:,} were there already" if summary.earlier else ""
    return Group(table, Text(f"{speed}{before}."), Text(LIMITS, "dim"))


def _detail(summary: Summary, status: Status) -> dict[str, int]:
    """The taxa of identified images; the reasons of the others."""
    if status is Status.IDENTIFIED:
        return summary.taxa
    codes = set(UndeterminedReason if status is Status.UNDETERMINED else FailureReason)
    return {code: number for code, number in summary.reasons.items() if code in codes}


def printable(text: str) -> str:
    """Replace what would move the cursor or colour the terminal; a file name may hold anything."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in written_path(text))


def _answer(record: Record) -> "Text":
    from rich.text import Text

    if record.status is Status.IDENTIFIED:
        return Text(printable(record.scientific_name or ""), f"italic {_COLOURS[record.status]}")
    return Text(f"{record.status}, {printable(record.reason or '')}", _COLOURS[record.status])


def _others(record: Record) -> str:
    """The next candidate; for an undetermined image the two best."""
    shown = record.candidates[:2] if record.status is Status.UNDETERMINED else record.candidates[1:2]
    return ", ".join(f"{printable(one.scientific_name)} {_percent(one.probability)}" for one in shown)


def _percent(score: float | None) -> str:
    return "" if score is None else f"{score:.0%}"
