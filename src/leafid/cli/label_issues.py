"""``leafid label-issues``: labels that their neighbours contradict."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import BundleArgument
from leafid.errors import UsageError

SHOWN = 10


def label_issues(
    bundle: BundleArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Darwin Core Identification rows (.csv).")
    ],
) -> None:
    """List the sheets it was trained on that bear another name than the most similar sheets of other gatherings.

    Hints for a curator, no determinations: a network knows some wrong names by heart, and some doubts are its own.
    """
    if output.suffix.lower() != ".csv":
        raise UsageError(f"-o {output}: name a file that ends in .csv.")
    from leafid.trust import list_label_issues

    found = list_label_issues(bundle, output)
    for one in found[:SHOWN]:
        print(f"{one.image_id}  {one.determination}: {one.votes} of its nearest say {one.suggestion}")
    if len(found) > SHOWN:
        print(f"... and {len(found) - SHOWN} more")
    print(f"{output}: {len(found)} of its sheets")
