"""``leafid review``: confirm or correct the answers of a result file."""

from pathlib import Path
from typing import Annotated

import typer


def review(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="The result file of `leafid identify`.")],
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", metavar="BUNDLE", help="Offer all taxa of this bundle, not those of the records."),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free port.")] = 8081,
) -> None:
    """Confirm or correct the answers of a result file on a page, until Ctrl-C.

    Each decision is appended to RESULTS.reviewed.csv at once; called again, the review continues. At the end, and by a
    button of the page, two more files are written beside it: RESULTS.identifications.csv with Darwin Core
    Identification rows, and RESULTS.training.csv, a table to train on. Call it in the folder in which `leafid identify`
    was called, since paths in RESULTS are relative to that.
    """
    from leafid.serve import ReviewSettings, review_results

    raise typer.Exit(review_results(ReviewSettings(results=results, bundle=bundle, host=host, port=port)))
