"""Renders records and summaries for the terminal."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from leafid.errors import FailureReason
from leafid.identify.records import Record, Status, unicode_path
from leafid.identify.summary import Summary
from leafid.text import printable
from leafid.trust import UndeterminedReason

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

MAX_TERMINAL_RECORDS = 40
"""Number of records up to which `leafid identify` prints them; more need an output file."""

_COLOURS = {Status.IDENTIFIED: "green", Status.UNDETERMINED: "yellow", Status.FAILED: "red"}


def records_table(records: Sequence[Record], *, limits: str, target: str | None = None) -> "RenderableType":
    """Return a table of records, followed by leaf characters, next questions, cautions and limits.

    Args:
        records: in order.
        limits: of the bundle.
        target: the bundle's target taxon; its probability gets a column.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("image", overflow="fold", ratio=3)
    table.add_column("result", ratio=3)
    table.add_column("probability", justify="right")
    if target is not None:
        table.add_column(Text(target, "italic bold"), justify="right")
    table.add_column("next", ratio=3)
    for record in records:
        cells = [Text(printable(unicode_path(record.subject))), _result(record), Text(_percent(record.probability))]
        if target is not None:
            cells.append(Text(_percent(record.target_probability)))
        table.add_row(*cells, Text(_others(record)))
    leaves = [
        Text(f"{printable(unicode_path(record.subject))}: {printable(record.flora_sentence)}")
        for record in records
        if record.flora_sentence is not None
    ]
    counts = Counter(record.caution for record in records if record.caution is not None)
    cautions = [
        Text(f"{printable(caution)} ({count:,} of {len(records):,} images)") for caution, count in counts.items()
    ]
    questions = [
        Text(f"{printable(unicode_path(record.subject))}: look up {printable(record.next_question)}")
        for record in records
        if record.next_question is not None
    ]
    notes = [line for lines in (leaves, questions, cautions) if lines for line in (Text(), *lines)]
    return Group(table, *notes, Text(), Text(printable(limits), "dim"))


def record_line(record: Record) -> "Text":
    """Return a record as one line: image, result and probability."""
    from rich.text import Text

    return Text(" ").join(
        [Text(printable(unicode_path(record.subject))), _result(record), Text(_percent(record.probability))]
    )


def summary_table(summary: Summary, *, limits: str, unit: str = "images") -> "RenderableType":
    """Return the summary of a run: images by status, by taxon and by the reason for having no name; then the limits.

    Args:
        summary: of the run.
        limits: of the bundle.
        unit: what has a record: ``images``, or ``plants``.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right")
    table.add_column()
    for status, count in summary.statuses.items():
        if count:
            table.add_row(str(count), Text(status, _COLOURS[status]))
            for label, number in _detail(summary, status).items():
                table.add_row("", Text(f"{number:>7,}  {printable(label)}"))
    done = summary.images - summary.resumed
    speed = f"{done:,} {unit} in {summary.seconds:.1f} s ({summary.images_per_second:.1f} {unit}/s)"
    resumed = f"; {summary.resumed:,} were identified before" if summary.resumed else ""
    lost = f" {summary.failed_photos:,} of their photos could not be read." if summary.failed_photos else ""
    return Group(table, Text(f"{speed}{resumed}.{lost}"), Text(printable(limits), "dim"))


def _detail(summary: Summary, status: Status) -> dict[str, int]:
    """Return counts by taxon for identified images, by reason for others."""
    if status is Status.IDENTIFIED:
        return summary.taxa
    codes = set(UndeterminedReason if status is Status.UNDETERMINED else FailureReason)
    return {code: number for code, number in summary.reasons.items() if code in codes}


def _result(record: Record) -> "Text":
    from rich.text import Text

    if record.status is Status.IDENTIFIED:
        return Text(printable(record.scientific_name or ""), f"italic {_COLOURS[record.status]}")
    return Text(f"{record.status}, {printable(unicode_path(record.reason or ''))}", _COLOURS[record.status])


def _others(record: Record) -> str:
    """Return the second candidate; for an undetermined image the best two."""
    shown = record.candidates[:2] if record.status is Status.UNDETERMINED else record.candidates[1:2]
    return ", ".join(f"{printable(candidate.scientific_name)} {_percent(candidate.probability)}" for candidate in shown)


def _percent(probability: float | None) -> str:
    return "" if probability is None else f"{probability:.0%}"
