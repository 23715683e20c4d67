"""Curate a catalog for training: gatherings, duplicates, conflicts, splits and audit."""

from leafid.curation.auditing import Audit, AuditFiles, audit
from leafid.curation.conflicts import CONFLICT_COLUMNS, write_conflicts
from leafid.curation.curate import LEFT_OUT_COLUMNS, CuratedCatalog, curate, training_split
from leafid.curation.gatherings import GatheringSummary, assign_gatherings, gatherings_of
from leafid.curation.near_duplicates import near_duplicates_of
from leafid.curation.split import SPLIT_COLUMNS, SPLITS, check_split, read_split, write_split
from leafid.curation.taxon_lookup import LeftOutReason

__all__ = [
    "CONFLICT_COLUMNS",
    "LEFT_OUT_COLUMNS",
    "SPLITS",
    "SPLIT_COLUMNS",
    "Audit",
    "AuditFiles",
    "CuratedCatalog",
    "GatheringSummary",
    "LeftOutReason",
    "assign_gatherings",
    "audit",
    "check_split",
    "curate",
    "gatherings_of",
    "near_duplicates_of",
    "read_split",
    "training_split",
    "write_conflicts",
    "write_split",
]
