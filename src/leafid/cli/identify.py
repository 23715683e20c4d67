"""``leafid identify``: name photos with a bundle."""

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import (
    BundleArgument,
    CharactersOption,
    ContactOption,
    Device,
    DeviceOption,
    EngineChoice,
    EngineOption,
    KeepLocationOption,
    PrivateAddressesOption,
    existing_output,
    number_or_auto,
)
from leafid.errors import UsageError


class EngineCluster(StrEnum):
    """Where the engines run."""

    NONE = "none"
    RAY = "ray"


class HeatMapsOf(StrEnum):
    """Images for which the report has heat maps."""

    NONE = "none"
    UNDETERMINED = "undetermined"
    ALL = "all"


def identify(
    bundle: BundleArgument,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Photos, folders, globs, web addresses (also IIIF), CSV or Parquet tables with a path column; - for a "
            "list on standard input.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write records to a .csv, .jsonl or .parquet file."),
    ] = None,
    darwin_core: Annotated[
        Path | None,
        typer.Option("--darwin-core", metavar="FILE", help="Also write Darwin Core Identification rows (.csv)."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE|FOLDER",
            help="Also write a page with thumbnails to sort and filter: one file (.html), or a folder for many images.",
        ),
    ] = None,
    heat_maps: Annotated[
        HeatMapsOf,
        typer.Option(
            "--heat-maps",
            help="In the report, show what speaks for the two best candidates of these images; each takes about as "
            "long as two answers.",
        ),
    ] = HeatMapsOf.NONE,
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="Candidates that a record lists.", show_default="5")
    ] = None,
    batch_size: Annotated[
        str,
        typer.Option("--batch-size", metavar="N", help="Images that go through the network together; or auto."),
    ] = "auto",
    workers: Annotated[
        str, typer.Option("--workers", metavar="N", help="Threads that open images; auto: one for each core.")
    ] = "auto",
    references: Annotated[
        int, typer.Option("--references", min=0, metavar="K", help="Cite the K most similar specimens per candidate.")
    ] = 0,
    characters: CharactersOption = False,
    keep_location: KeepLocationOption = False,
    contact: ContactOption = None,
    allow_private_addresses: PrivateAddressesOption = False,
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="K/N", help="Do part K of N of the images, for N machines.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Keep the records that are there and do the rest.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing output.")] = False,
    device: DeviceOption = Device.AUTO,
    engine: EngineOption = EngineChoice.AUTO,
    engine_cluster: Annotated[
        EngineCluster,
        typer.Option(
            "--engine-cluster",
            help="ray: on the Ray cluster at RAY_ADDRESS, all of whose machines see the same files, or without that "
            "variable on one of its own here; needs leafid[ray].",
        ),
    ] = EngineCluster.NONE,
) -> None:
    """Name photos: one record for each image, whatever becomes of it.

    Exit code: 0 when every image could be read; 3 when some failed (their records say why); 2 when nothing could begin.
    """
    from rich.console import Console

    from leafid.bundle import read_bundle
    from leafid.identify import (
        FEW,
        ROWS_IN_A_FILE,
        TOP,
        ClusterIdentifier,
        Identifier,
        IdentifyOptions,
        check_output,
        check_view,
        find_inputs,
        identify_to_file,
        identify_to_list,
        is_folder_form,
        read_records,
        records_table,
        shard_of,
        suggested_export,
        summary_table,
        write_darwin_core,
        write_report,
    )
    from leafid.installation import require_torch
    from leafid.jobs import FetchingSettings
    from leafid.progress import progress_bar

    existing = existing_output(resume, force)
    if resume and output is None:
        raise UsageError("--resume goes on with a file: name it with -o.")
    if heat_maps is not HeatMapsOf.NONE and report is None:
        raise UsageError("--heat-maps are shown in the report: name it with --report results.html")
    options: IdentifyOptions = {
        "batch_size": number_or_auto("--batch-size", batch_size),
        "workers": number_or_auto("--workers", workers),
        "top": top or TOP,
        "characters": characters,
        "keep_location": keep_location,
        "fetching": FetchingSettings(contact=contact, allow_private_addresses=allow_private_addresses),
    }
    if output is not None:
        check_output(output, existing)
    for option, view in (("--darwin-core", darwin_core), ("--report", report)):
        if view is not None:
            check_view(option, view, existing, output=output)
    inputs = find_inputs(paths)
    images = inputs.paths if shard is None else shard_of(inputs.paths, shard)
    if report is not None and not is_folder_form(report) and len(images) > ROWS_IN_A_FILE:
        raise UsageError(
            f"{len(images):,} images are too many for one file: name a folder with --report {report.with_suffix('')}"
        )
    if output is None and len(images) > FEW:
        raise UsageError(f"{len(images):,} images are too many for the terminal: name a file with -o results.csv")
    kind = ClusterIdentifier if engine_cluster is EngineCluster.RAY else Identifier
    if kind is Identifier:
        require_torch()
    console = Console()
    for note in inputs.remarks:
        console.print(note, style="dim", highlight=False, markup=False)
    identifier = kind.load(bundle, device=device.value, engine=engine.value, references=references)
    if engine is EngineChoice.AUTO and isinstance(identifier, Identifier) and len(images) > FEW:
        if suggestion := suggested_export(read_bundle(bundle), identifier.engine):
            console.print(suggestion, style="dim", highlight=False, markup=False)
    with progress_bar("Identifying") as on_progress:
        if output is None:
            records, summary = identify_to_list(identifier, images, on_progress=on_progress, **options)
        else:
            summary = identify_to_file(
                identifier, images, output, existing=existing, on_progress=on_progress, **options
            )
    if output is None:
        console.print(records_table(records, target=identifier.info.taxonomy.target))
    else:
        console.print(summary_table(summary))
        console.print(f"Records: {output}", highlight=False, markup=False)
    today = date.today()
    if darwin_core is not None:
        rows = write_darwin_core(
            records if output is None else read_records(output), darwin_core, identifier.info.taxonomy, on=today
        )
        without = f"; {summary.images - rows:,} images without a name have no row" if rows < summary.images else ""
        console.print(f"Darwin Core: {darwin_core}, {rows:,} rows{without}", highlight=False, markup=False)
    if report is not None:
        with progress_bar("Thumbnails") as on_progress:
            write_report(
                records if output is None else read_records(output),
                report,
                identifier.info,
                on=today,
                images=summary.images,
                bundle=bundle,
                heat_maps=heat_maps.value,
                device=device.value,
                on_progress=on_progress,
            )
        console.print(f"Report: {report}", highlight=False, markup=False)
    if summary.exit_code:
        raise typer.Exit(summary.exit_code)
