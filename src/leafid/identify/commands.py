"""`leafid identify` and `leafid watch`: check the options, identify, write all outputs, print messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from leafid.bundle import BundleInfo, check_is_bundle, read_bundle
from leafid.destinations import Destination, check_destinations
from leafid.errors import ExitCode, UsageError
from leafid.files import Existing
from leafid.identify.cluster.ray_cluster import ClusterIdentifier
from leafid.identify.derived_outputs import DerivedOutputs
from leafid.identify.engines.engine import EngineName
from leafid.identify.engines.engine_choice import check_engine, suggest_export
from leafid.identify.identifier import Identifier
from leafid.identify.inputs.find_inputs import Inputs, find_inputs
from leafid.identify.inputs.given_columns import GivenByPath
from leafid.identify.outputs.failed_records import check_retry
from leafid.identify.outputs.terminal import MAX_TERMINAL_RECORDS, record_line, records_table, summary_table
from leafid.identify.outputs.writers import read_records, result_destinations
from leafid.identify.plants.command import Records, check_plant_options, identify_plants, plants_of
from leafid.identify.question import TOP_CANDIDATES, IdentifyOptions
from leafid.identify.restriction import restriction
from leafid.identify.run_identification import identify_to_file, identify_to_list
from leafid.identify.summary import Summary
from leafid.identify.watch import check_watch, watch_folder
from leafid.progress import progress_bar

if TYPE_CHECKING:
    from rich.console import Console

    from leafid.jobs import FetchingSettings


@dataclass(frozen=True, kw_only=True)
class IdentifySettings:
    """The options of `leafid identify`; `leafid identify --help` explains them."""

    bundle: Path
    images: Sequence[str]
    output: Path | None
    derived: DerivedOutputs
    top: int | None
    batch_size: int | Literal["auto"]
    workers: int | Literal["auto"]
    references: int
    characters: bool
    ask: bool
    keep_location: bool
    taxa: str | None
    country: str | None
    contact: str | None
    allow_private_addresses: bool
    plant_by: str | None
    photos_too: bool
    shard: str | None
    existing: Existing
    retry_failed: bool
    device: str
    engine: EngineName | Literal["auto"]
    cluster: Literal["none", "ray"]

    @property
    def identify_options(self) -> IdentifyOptions:
        """The options that ``Identifier.identify`` takes."""
        return {
            "batch_size": self.batch_size,
            "workers": self.workers,
            "top": self.top or TOP_CANDIDATES,
            "characters": self.characters,
            "ask": self.ask,
            "keep_location": self.keep_location,
            "fetching": self._fetching,
        }

    @property
    def _fetching(self) -> "FetchingSettings | None":
        """Settings for images from the web; None, the defaults, does not import their class."""
        if self.contact is None and not self.allow_private_addresses:
            return None
        from leafid.jobs import FetchingSettings

        return FetchingSettings(contact=self.contact, allow_private_addresses=self.allow_private_addresses)


def identify_photos(settings: IdentifySettings) -> ExitCode:
    """Identify photos, write the outputs and print the result.

    Returns:
        ``OK``, or ``SOME_FAILED`` if an image could not be read.

    Raises:
        LeafidError: options do not fit together, or bundle, images or outputs cannot be used.
    """
    from rich.console import Console

    destinations = _destinations(settings)
    check_is_bundle(settings.bundle, others=settings.images)
    if settings.engine != "auto" and settings.cluster == "none":
        check_engine(settings.bundle, settings.engine)
    check_plant_options(settings)
    inputs = find_inputs(settings.images, shard=None if settings.plant_by else settings.shard)
    paths = inputs.paths
    plants = plants_of(inputs, settings)
    named = [settings.taxa] if settings.taxa else []  # may be a file
    check_destinations(destinations, inputs=chain(settings.images, named, paths), existing=settings.existing)
    _check_image_count(settings, len(paths))
    plants_alone = settings.plant_by is not None and not settings.photos_too
    settings.derived.check_images(paths, inputs.given, plants_alone=plants_alone)
    console = Console()
    for remark in inputs.remarks:
        _print(console, remark, style="dim")
    identifier = _load_identifier(settings, len(paths), console)
    _warn_if_uncalibrated(identifier.info, console)
    asked = restriction(identifier.info.taxonomy, taxa=settings.taxa, country=settings.country)
    for remark in asked.remarks if asked else ():
        _print(console, remark, style="dim")
    taxa = asked.taxa if asked else None
    records, summary = (
        _identify(settings, identifier, inputs, taxa)
        if plants is None or isinstance(identifier, ClusterIdentifier)
        else identify_plants(settings, identifier, plants, GivenByPath(paths, inputs.given), taxa)
    )
    _print_result(settings, identifier, records, summary, console)
    settings.derived.write(
        records,
        identifier.info,
        images=summary.images,
        bundle=settings.bundle,
        device=settings.device,
        tell=lambda line: _print(console, line),
    )
    return summary.exit_code


@dataclass(frozen=True, kw_only=True)
class WatchSettings:
    """The options of `leafid watch`; `leafid watch --help` explains them."""

    bundle: Path
    folder: Path
    output: Path
    settle: float
    interval: float
    top: int
    characters: bool
    keep_location: bool
    device: str
    engine: EngineName | Literal["auto"]


def watch_photos(settings: WatchSettings) -> ExitCode:
    """Identify photos as they arrive in a folder, until Ctrl-C, and print one line for each.

    Returns:
        ``INTERRUPTED``, because Ctrl-C is how it ends.

    Raises:
        LeafidError: options do not fit together, or bundle, folder or output cannot be used.
    """
    from rich.console import Console

    check_is_bundle(settings.bundle, others=[settings.folder])
    check_watch(settings.folder, settings.output, interval=settings.interval, settle=settings.settle)
    console = Console()
    identifier = Identifier.load(settings.bundle, device=settings.device, engine=settings.engine)
    _warn_if_uncalibrated(identifier.info, console)
    _print(console, f"Watching {settings.folder}. Stop with Ctrl-C.")
    summary = watch_folder(
        identifier,
        settings.folder,
        settings.output,
        interval=settings.interval,
        settle=settings.settle,
        top=settings.top,
        characters=settings.characters,
        keep_location=settings.keep_location,
        on_record=lambda record: console.print(f"{datetime.now():%H:%M:%S}", record_line(record)),
        on_error=lambda message: _print(console, message, style="yellow"),
    )
    console.print(summary_table(summary, limits=identifier.info.trained_on.short))
    _print(console, f"Records: {settings.output}")
    return ExitCode.INTERRUPTED


def _destinations(settings: IdentifySettings) -> list[Destination]:
    """Check that the options of outputs fit together, and return all outputs."""
    if settings.existing == "resume" and settings.output is None:
        raise UsageError("--resume continues a result file. Name it with -o.")
    if settings.retry_failed and (settings.existing != "resume" or settings.output is None):
        raise UsageError("--retry-failed tries the failed images of a result again. Add --resume.")
    if settings.retry_failed and settings.output is not None:
        check_retry(settings.output)
    return [
        *(() if settings.output is None else result_destinations(settings.output)),
        *settings.derived.destinations(),
    ]


def _check_image_count(settings: IdentifySettings, images: int) -> None:
    if settings.output is None and images > MAX_TERMINAL_RECORDS:
        raise UsageError(f"{images:,} images are too many for the terminal. Name a result file: -o results.csv")


def _load_identifier(settings: IdentifySettings, images: int, console: "Console") -> Identifier | ClusterIdentifier:
    kind = ClusterIdentifier if settings.cluster == "ray" else Identifier
    identifier = kind.load(
        settings.bundle, device=settings.device, engine=settings.engine, references=settings.references
    )
    if settings.engine == "auto" and isinstance(identifier, Identifier) and images > MAX_TERMINAL_RECORDS:
        if suggestion := suggest_export(read_bundle(settings.bundle), identifier.engine):
            _print(console, suggestion, style="dim")
    return identifier


def _warn_if_uncalibrated(info: BundleInfo, console: "Console") -> None:
    if info.calibration.fitted_on is None:
        _print(
            console,
            f"The bundle {info.name} was never calibrated: its probabilities are not reliable, and no photo is "
            "rejected as an unknown taxon. `leafid train` calibrates it at its end.",
            style="yellow",
        )


def _identify(
    settings: IdentifySettings,
    identifier: Identifier | ClusterIdentifier,
    inputs: Inputs,
    taxa: Sequence[str] | None,
) -> tuple[Records, Summary]:
    paths, given = inputs.paths, inputs.given
    output, options = settings.output, settings.identify_options
    options["taxa"] = taxa
    with progress_bar("Identifying") as on_progress:
        if output is None:
            records, summary = identify_to_list(identifier, paths, given=given, on_progress=on_progress, **options)
            return (lambda: records), summary
        summary = identify_to_file(
            identifier,
            paths,
            output,
            existing=settings.existing,
            retry_failed=settings.retry_failed,
            given=given,
            byte_order_mark=settings.derived.byte_order_mark,
            on_progress=on_progress,
            **options,
        )
        return (lambda: read_records(output)), summary


def _print_result(
    settings: IdentifySettings,
    identifier: Identifier | ClusterIdentifier,
    records: Records,
    summary: Summary,
    console: "Console",
) -> None:
    limits = identifier.info.trained_on.short
    if settings.output is None:
        console.print(records_table(tuple(records()), limits=limits, target=identifier.info.taxonomy.target))
    else:
        unit = "images" if settings.plant_by is None else "records" if settings.photos_too else "plants"
        console.print(summary_table(summary, limits=limits, unit=unit))
        _print(console, f"Records: {settings.output}")


def _print(console: "Console", text: str, *, style: str | None = None) -> None:
    """Print text as it is; rich would read brackets in a path as markup."""
    console.print(text, style=style, highlight=False, markup=False)
