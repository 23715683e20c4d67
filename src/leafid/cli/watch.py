"""``leafid watch``: identify photos as they arrive in a folder."""

from pathlib import Path
from typing import Annotated

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
from leafid.cli.supervision import survive_crashes
from leafid.cores import keep_libraries_to_one_thread


def watch(
    bundle: BundleArgument,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to watch, with its subfolders.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Append records to a .csv or .jsonl file.")
    ],
    settle: Annotated[
        float, typer.Option("--settle", min=0, help="Seconds without a change after which a file is read.")
    ] = 3.0,
    interval: Annotated[
        float, typer.Option("--interval", min=0.01, help="Seconds between two polls of the folder.")
    ] = 1.0,
    top: Annotated[int, typer.Option("--top", min=1, help="Number of candidates in a record.")] = 5,
    characters: CharactersOption = False,
    keep_location: KeepLocationOption = False,
    device: DeviceOption = Device.AUTO,
    engine: EngineOption = EngineChoice.AUTO,
) -> None:
    """Identify photos as they arrive in a folder.

    Each photo gets its own record, since more photos of a plant may still arrive: for one answer per plant, use
    `leafid identify --plant-by` afterwards. It runs until Ctrl-C. Called again, it continues with the photos that have
    no record. Exit code: 130 after Ctrl-C, with every record kept; 2 if it could not start.
    """
    keep_libraries_to_one_thread()
    survive_crashes()

    from leafid.identify import WatchSettings, watch_photos

    settings = WatchSettings(
        bundle=bundle,
        folder=folder,
        output=output,
        settle=settle,
        interval=interval,
        top=top,
        characters=characters,
        keep_location=keep_location,
        device=device.value,
        engine=engine.value,
    )
    raise typer.Exit(watch_photos(settings))
