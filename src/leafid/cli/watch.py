"""``leafid watch``: name photos as they arrive in a folder."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leafid.cli.arguments import (
    BundleArgument,
    CharactersOption,
    Device,
    DeviceOption,
    EngineChoice,
    EngineOption,
    KeepLocationOption,
)
from leafid.errors import ExitCode

if TYPE_CHECKING:
    from leafid.identify import Record


def watch(
    bundle: BundleArgument,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; its subfolders are watched, too.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Append records to a .csv or .jsonl file.")
    ],
    settle: Annotated[
        float, typer.Option("--settle", min=0, help="Seconds without a change after which a file is complete.")
    ] = 3.0,
    interval: Annotated[float, typer.Option("--interval", min=0.01, help="Seconds between two looks.")] = 1.0,
    top: Annotated[int, typer.Option("--top", min=1, help="Candidates that a record lists.")] = 5,
    characters: CharactersOption = False,
    keep_location: KeepLocationOption = False,
    device: DeviceOption = Device.AUTO,
    engine: EngineOption = EngineChoice.AUTO,
) -> None:
    """Name photos as they arrive in a folder, until Ctrl-C; called again, it goes on with those that have no record.

    Exit code: 130 after Ctrl-C, which is how it ends; every record is kept. 2 when it could not begin.
    """
    from rich.console import Console

    from leafid.identify import Identifier, check_watching, record_line, summary_table, watch_folder
    from leafid.installation import require_torch

    check_watching(folder, output, interval=interval, settle=settle)
    require_torch()
    console = Console()
    identifier = Identifier.load(bundle, device=device.value, engine=engine.value)

    def show(record: "Record") -> None:
        console.print(f"{datetime.now():%H:%M:%S}", record_line(record))

    console.print(f"Watching {folder}; Ctrl-C ends it.", highlight=False, markup=False)
    summary = watch_folder(
        identifier,
        folder,
        output,
        interval=interval,
        settle=settle,
        top=top,
        characters=characters,
        keep_location=keep_location,
        on_record=show,
        on_trouble=lambda trouble: console.print(trouble, style="yellow", highlight=False, markup=False),
    )
    console.print(summary_table(summary))
    console.print(f"Records: {output}", highlight=False, markup=False)
    raise typer.Exit(ExitCode.INTERRUPTED)
