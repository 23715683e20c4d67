"""``leafid identify``: identify photos with a bundle."""

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
from leafid.cli.standard_streams import check_printed
from leafid.cli.supervision import survive_crashes
from leafid.cores import keep_libraries_to_one_thread


class EngineCluster(StrEnum):
    """Cluster on which the engines run."""

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
            help="Photos, folders, globs, web addresses (also IIIF), tables with a path column (CSV, TSV, Parquet), "
            "text files with a path on each line; - for a list on standard input.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write records to a .csv, .jsonl or .parquet file."),
    ] = None,
    byte_order_mark: Annotated[
        bool,
        typer.Option("--bom", help="Begin CSV files with a byte order mark, by which Excel recognises UTF-8."),
    ] = False,
    spreadsheet: Annotated[
        Path | None,
        typer.Option("--spreadsheet", metavar="FILE", help="Also write a spreadsheet (.xlsx) for reading."),
    ] = None,
    darwin_core: Annotated[
        Path | None,
        typer.Option(
            "--darwin-core",
            metavar="FILE",
            help="Also write Darwin Core: Identification rows (.csv), or an archive (.zip).",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE|FOLDER",
            help="Also write a page with a table to sort and filter: one file (.html), or a folder for many images.",
        ),
    ] = None,
    heat_maps: Annotated[
        HeatMapsOf,
        typer.Option(
            "--heat-maps",
            help="In the report, show heat maps of the best two candidates for these images; each takes about as long "
            "as two identifications.",
        ),
    ] = HeatMapsOf.NONE,
    sample_reports: Annotated[
        Path | None,
        typer.Option(
            "--sample-reports",
            metavar="FOLDER",
            help="Also write a report for each sample, to be printed on A4 and signed; add --characters for the leaf.",
        ),
    ] = None,
    sample_column: Annotated[
        str | None,
        typer.Option(
            "--sample-column",
            metavar="COLUMN",
            help="Column of the table of images with the number of the sample; photos of one number are one sample.",
            show_default="each photo is a sample",
        ),
    ] = None,
    operator: Annotated[
        str | None,
        typer.Option(
            "--operator", metavar="NAME", help="Who runs the identification, for the reports.", show_default=False
        ),
    ] = None,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Also print the reports of samples to PDF, by an installed Chromium.")
    ] = False,
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="Number of candidates in a record.", show_default="5")
    ] = None,
    batch_size: Annotated[
        str,
        typer.Option(
            "--batch-size", metavar="N", help="Number of images that the network processes together, or auto."
        ),
    ] = "auto",
    workers: Annotated[
        str, typer.Option("--workers", metavar="N", help="Number of threads that read images; auto: one per core.")
    ] = "auto",
    references: Annotated[
        int,
        typer.Option(
            "--references", min=0, metavar="K", help="Cite the K most similar reference specimens of each candidate."
        ),
    ] = 0,
    characters: CharactersOption = False,
    ask: Annotated[
        bool,
        typer.Option(
            "--ask",
            help="Where several taxa cannot be excluded, also name the characters to look up on the plant that "
            "separate them best.",
        ),
    ] = False,
    keep_location: KeepLocationOption = False,
    taxa: Annotated[
        str | None,
        typer.Option(
            "--taxa",
            metavar="NAMES|FILE",
            help="Answer only among these taxa of the bundle: names separated by commas, or a file of names.",
        ),
    ] = None,
    country: Annotated[
        str | None,
        typer.Option(
            "--country",
            metavar="CODE",
            help="Answer only among the taxa known from this country, such as TH (ISO 3166).",
        ),
    ] = None,
    plant_by: Annotated[
        str | None,
        typer.Option(
            "--plant-by",
            metavar="folder|COLUMN|REGEX",
            help="One record for all photos of a plant: those in a folder, with the same value in a column of their "
            "table, or with the same first group of a regular expression in their path.",
        ),
    ] = None,
    photos_too: Annotated[
        bool, typer.Option("--photos-too", help="With --plant-by: also write a record for each photo.")
    ] = False,
    contact: ContactOption = None,
    allow_private_addresses: PrivateAddressesOption = False,
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="K/N", help="Identify part K of N of the images, for work on N machines."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep existing records and identify the remaining images.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="With --resume: also try images again whose records are failed.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing output.")] = False,
    device: DeviceOption = Device.AUTO,
    engine: EngineOption = EngineChoice.AUTO,
    engine_cluster: Annotated[
        EngineCluster,
        typer.Option(
            "--engine-cluster",
            help="ray: identify on the Ray cluster at RAY_ADDRESS, whose machines must all see the same files, or on a "
            "local cluster if that variable is not set. Needs leafid[ray].",
        ),
    ] = EngineCluster.NONE,
) -> None:
    """Identify photos with a bundle.

    Every image gives one record, readable or not; with --plant-by, every plant gives one. Exit code: 0 if every image
    could be read; 3 if some could not (their records give the reason); 2 if nothing could start.
    """
    keep_libraries_to_one_thread()
    existing = existing_output(resume, force)
    again = survive_crashes(reads_list="-" in paths) > 0 and output is not None

    from leafid.identify import DerivedOutputs, IdentifySettings, identify_photos

    settings = IdentifySettings(
        bundle=bundle,
        images=paths,
        output=output,
        derived=DerivedOutputs(
            byte_order_mark=byte_order_mark,
            spreadsheet=spreadsheet,
            darwin_core=darwin_core,
            report=report,
            heat_maps=heat_maps.value,
            sample_reports=sample_reports,
            sample_column=sample_column,
            operator=operator,
            pdf=pdf,
        ),
        top=top,
        batch_size=number_or_auto("--batch-size", batch_size),
        workers=number_or_auto("--workers", workers),
        references=references,
        characters=characters,
        ask=ask,
        keep_location=keep_location,
        taxa=taxa,
        country=country,
        plant_by=plant_by,
        photos_too=photos_too,
        contact=contact,
        allow_private_addresses=allow_private_addresses,
        shard=shard,
        existing="resume" if again else existing,
        retry_failed=retry_failed and not again,
        device=device.value,
        engine=engine.value,
        cluster=engine_cluster.value,
    )
    exit_code = identify_photos(settings)
    if output is None:
        check_printed()  # what is printed are the records
    if exit_code:
        raise typer.Exit(exit_code)
