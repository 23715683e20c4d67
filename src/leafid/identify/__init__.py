"""From a bundle and photos to records a botanist can file. Torch is loaded when an ``Identifier`` is."""

from leafid.identify.identifier import BATCH_SIZE, TOP, Identifier
from leafid.identify.inputs import Inputs, find_inputs
from leafid.identify.records import Candidate, Record, Status, column_documentation
from leafid.identify.running import identify_to_file, identify_to_list
from leafid.identify.summary import Summary
from leafid.identify.terminal import FEW, records_table, summary_table
from leafid.identify.writers import Existing, check_output, read_records

__all__ = [
    "BATCH_SIZE",
    "FEW",
    "TOP",
    "Candidate",
    "Existing",
    "Identifier",
    "Inputs",
    "Record",
    "Status",
    "Summary",
    "check_output",
    "column_documentation",
    "find_inputs",
    "identify_to_file",
    "identify_to_list",
    "read_records",
    "records_table",
    "summary_table",
]
