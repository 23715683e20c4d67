"""``leafid label-issues``: training labels that the nearest neighbours contradict."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import BundleArgument, check_extension

MAX_PRINTED = 10


def label_issues(
    bundle: BundleArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Darwin Core Identification rows (.csv).")
    ],
) -> None:
    """List training sheets with doubtful names.

    A name is doubtful if the most similar sheets of other gatherings have another. The list is a hint for a curator,
    not a determination: a network memorises some wrong names, and it is wrong about some right ones.
    """
    check_extension(output, ".csv")
    from leafid.trust import list_label_issues
    from leafid.trust.label_issues import NEIGHBOURS

    found = list_label_issues(bundle, output)
    for issue in found[:MAX_PRINTED]:
        print(
            f"{issue.sheet}  {issue.determination}: {issue.votes} of its {NEIGHBOURS} most similar sheets are "
            f"{issue.suggestion}"
        )
    if len(found) > MAX_PRINTED:
        print(f"... and {len(found) - MAX_PRINTED} more")
    print(f"{output}: {len(found)} sheets")
