"""What `leafid identify` writes beside the result: spreadsheet, Darwin Core, report, reports of samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from leafid.bundle import BundleInfo
from leafid.destinations import Destination
from leafid.errors import UsageError
from leafid.identify.inputs.given_columns import GivenColumns
from leafid.identify.outputs.browser_pdf import find_chromium
from leafid.identify.outputs.darwin_core import write_darwin_core
from leafid.identify.outputs.dwc_archive import write_archive
from leafid.identify.outputs.report import HeatMaps, write_report
from leafid.identify.outputs.report_files import MAX_ROWS_IN_FILE, is_report_folder, report_destination
from leafid.identify.outputs.sample_reports import (
    SampleReportSettings,
    sample_reports_destination,
    write_sample_reports,
)
from leafid.identify.outputs.spreadsheet import (
    MAX_COLUMNS,
    MAX_RECORDS,
    spreadsheet_destination,
    too_many_columns,
    too_many_records,
    write_spreadsheet,
)
from leafid.identify.outputs.writers import darwin_core_destination
from leafid.identify.plants.command import Records
from leafid.identify.records import unicode_path
from leafid.installation import require_training
from leafid.progress import progress_bar


@dataclass(frozen=True, kw_only=True)
class DerivedOutputs:
    """The options that name them; `leafid identify --help` explains them."""

    byte_order_mark: bool = False
    spreadsheet: Path | None = None
    darwin_core: Path | None = None
    report: Path | None = None
    heat_maps: HeatMaps = "none"
    sample_reports: Path | None = None
    sample_column: str | None = None
    operator: str | None = None
    pdf: bool = False

    def destinations(self) -> list[Destination]:
        """Check that the options fit together, and return the outputs.

        Raises:
            UsageError: they do not.
            InstallationError: what draws heat maps or writes PDF is not installed.
        """
        if self.heat_maps != "none" and self.report is None:
            raise UsageError("--heat-maps adds heat maps to the report. Name the report with --report results.html")
        options = {"--sample-column": self.sample_column, "--operator": self.operator, "--pdf": self.pdf}
        if self.sample_reports is None and (lonely := [name for name, value in options.items() if value]):
            raise UsageError(f"{lonely[0]} belongs to the reports of samples. Add --sample-reports FOLDER")
        if self.heat_maps != "none":
            require_training()
        if self.pdf:
            find_chromium()
        return [
            *(() if self.spreadsheet is None else [spreadsheet_destination(self.spreadsheet)]),
            *(() if self.darwin_core is None else [darwin_core_destination(self.darwin_core)]),
            *(() if self.report is None else [report_destination(self.report)]),
            *(() if self.sample_reports is None else [sample_reports_destination(self.sample_reports)]),
        ]

    def check_images(self, images: Sequence[str], given: GivenColumns, *, plants_alone: bool = False) -> None:
        """Check early that the outputs can hold these images.

        Args:
            images: their paths.
            given: their given columns.
            plants_alone: only plants have records; one photo with the number of the sample is enough for each.

        Raises:
            UsageError: they cannot.
        """
        report, column = self.report, self.sample_column
        if report is not None and not is_report_folder(report) and len(images) > MAX_ROWS_IN_FILE:
            raise UsageError(
                f"{len(images):,} images are too many for a report in one file. Name a folder: "
                f"--report {report.with_suffix('')}"
            )
        if self.spreadsheet is not None and len(images) > MAX_RECORDS:
            raise UsageError(f"--spreadsheet {self.spreadsheet}: {too_many_records(len(images))}")
        if self.spreadsheet is not None and len(given.names) > MAX_COLUMNS:
            raise UsageError(f"--spreadsheet {self.spreadsheet}: {too_many_columns(len(given.names))}")
        if column is not None and column not in given.names:
            columns = ", ".join(given.names) or "none; name the images by a table that has it"
            raise UsageError(f"--sample-column {column}: the images have no such column. They have: {columns}.")
        if column is not None and not plants_alone:
            for position, path in enumerate(images):
                if dict(given.of(position))[column] is None:
                    raise UsageError(f"--sample-column {column}: {unicode_path(path)} has no value there. Fill it in.")

    def write(
        self,
        records: Records,
        info: BundleInfo,
        *,
        images: int,
        bundle: Path,
        device: str,
        tell: Callable[[str], None],
    ) -> None:
        """Write the outputs that are named.

        Args:
            records: of the finished run.
            info: of the bundle.
            images: number of records.
            bundle: for heat maps and thumbnails of specimens.
            device: on which heat maps are computed.
            tell: called with a line for each output.
        """
        if self.spreadsheet is not None:
            write_spreadsheet(records, self.spreadsheet, info)
            tell(f"Spreadsheet: {self.spreadsheet}")
        if self.darwin_core is not None:
            if self.darwin_core.suffix.lower() == ".zip":
                rows = write_archive(records(), self.darwin_core, info.taxonomy)
                tell(f"Darwin Core Archive: {self.darwin_core}, {rows:,} identifications")
            else:
                rows = write_darwin_core(
                    records(), self.darwin_core, info.taxonomy, byte_order_mark=self.byte_order_mark
                )
                without = f"; {images - rows:,} images without a name have no row" if rows < images else ""
                tell(f"Darwin Core: {self.darwin_core}, {rows:,} rows{without}")
        if self.report is not None:
            with progress_bar("Thumbnails") as on_progress:
                write_report(
                    records(),
                    self.report,
                    info,
                    on=date.today(),
                    images=images,
                    bundle=bundle,
                    heat_maps=self.heat_maps,
                    device=device,
                    on_progress=on_progress,
                )
            tell(f"Report: {self.report}")
        if self.sample_reports is not None:
            chromium = find_chromium() if self.pdf else None
            settings = SampleReportSettings(self.sample_reports, self.sample_column, self.operator, chromium)
            with progress_bar("Sample reports") as on_progress:
                samples = write_sample_reports(records, settings, info, images=images, on_progress=on_progress)
            tell(f"Sample reports: {self.sample_reports}, {samples:,} samples")
