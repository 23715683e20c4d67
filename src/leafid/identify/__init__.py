"""From a bundle and photos to records a botanist can file. Torch is loaded when an ``Identifier`` is."""

from leafid.identify.engines.compiled_engine import Parity
from leafid.identify.engines.compiled_formats import COMPILED, CompiledName
from leafid.identify.engines.engine import EngineName
from leafid.identify.engines.engine_choice import suggested_export
from leafid.identify.engines.export import export_engine
from leafid.identify.identifier import TOP, Identifier, IdentifyOptions
from leafid.identify.inputs import Inputs, find_inputs
from leafid.identify.outputs.darwin_core import DWC_COLUMNS, write_darwin_core
from leafid.identify.outputs.report import write_report
from leafid.identify.outputs.report_forms import ROWS_IN_A_FILE, is_folder_form
from leafid.identify.outputs.terminal import FEW, record_line, records_table, summary_table
from leafid.identify.outputs.writers import check_output, check_view, read_records
from leafid.identify.ray_cluster import ClusterIdentifier
from leafid.identify.records import Candidate, Record, Status, column_documentation
from leafid.identify.run_identification import identify_to_file, identify_to_list
from leafid.identify.shards import shard_of
from leafid.identify.summary import Summary
from leafid.identify.watch import check_watching, watch_folder

__all__ = [
    "COMPILED",
    "DWC_COLUMNS",
    "FEW",
    "ROWS_IN_A_FILE",
    "TOP",
    "Candidate",
    "ClusterIdentifier",
    "CompiledName",
    "EngineName",
    "Identifier",
    "IdentifyOptions",
    "Inputs",
    "Parity",
    "Record",
    "Status",
    "Summary",
    "check_output",
    "check_view",
    "check_watching",
    "column_documentation",
    "export_engine",
    "find_inputs",
    "identify_to_file",
    "identify_to_list",
    "is_folder_form",
    "read_records",
    "record_line",
    "records_table",
    "shard_of",
    "suggested_export",
    "summary_table",
    "watch_folder",
    "write_darwin_core",
    "write_report",
]
