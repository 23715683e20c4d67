"""Identification of photos with a bundle. Torch is imported when an ``Identifier`` is loaded."""

from leafid.identify.commands import IdentifySettings, WatchSettings, identify_photos, watch_photos
from leafid.identify.engines.compiled_engine import Parity
from leafid.identify.engines.compiled_formats import COMPILED, CompiledName
from leafid.identify.engines.engine_choice import suggest_export
from leafid.identify.engines.export import export_engine
from leafid.identify.identifier import Identifier, IdentifyOptions
from leafid.identify.inputs import Inputs, find_image_files, find_inputs, select_shard
from leafid.identify.outputs.darwin_core import DWC_COLUMNS, write_darwin_core
from leafid.identify.outputs.report import write_report
from leafid.identify.outputs.terminal import records_table, summary_table
from leafid.identify.outputs.writers import check_derived_output, check_output, read_records
from leafid.identify.ray_cluster import ClusterIdentifier
from leafid.identify.records import Candidate, Record, Status, column_documentation
from leafid.identify.run_identification import identify_to_file, identify_to_list
from leafid.identify.summary import Summary
from leafid.identify.watch import check_watch, watch_folder

__all__ = [
    "COMPILED",
    "DWC_COLUMNS",
    "Candidate",
    "ClusterIdentifier",
    "CompiledName",
    "Identifier",
    "IdentifyOptions",
    "IdentifySettings",
    "Inputs",
    "Parity",
    "Record",
    "Status",
    "Summary",
    "WatchSettings",
    "check_derived_output",
    "check_output",
    "check_watch",
    "column_documentation",
    "export_engine",
    "find_image_files",
    "find_inputs",
    "identify_photos",
    "identify_to_file",
    "identify_to_list",
    "read_records",
    "records_table",
    "select_shard",
    "suggest_export",
    "summary_table",
    "watch_folder",
    "watch_photos",
    "write_darwin_core",
    "write_report",
]
