"""The job file: a frozen, typed description of the whole pipeline, one module for each section.

Every setting is declared once, here, with its type, range, default and description. The help, the JSON Schema, the
checks and the record of a run derive from that declaration.
"""

from leafid.jobs.curation import CurationSettings, SplitSettings
from leafid.jobs.fetching import FetchingSettings
from leafid.jobs.files import dump_job, job_schema, load_job, with_settings
from leafid.jobs.job import Job, OutputSettings
from leafid.jobs.model import BACKBONES, BackboneSource, ModelSettings, backbone_source
from leafid.jobs.recipes import DatasetFacts, apply_recipe
from leafid.jobs.sheets import Preprocessing, ViewCounts
from leafid.jobs.sources import (
    ArchiveSource,
    FolderSource,
    GbifDownloadSource,
    GbifSearchSource,
    IdigbioSource,
    Source,
    TableSource,
    WebSource,
)
from leafid.jobs.sweep import Range, SweepSettings
from leafid.jobs.taxa import TaxaSettings, TaxonEntry
from leafid.jobs.templates import write_job_template
from leafid.jobs.training import Mix, Strength, TrainingSettings
from leafid.jobs.trust import OodScore, TrustSettings

__all__ = [
    "BACKBONES",
    "ArchiveSource",
    "BackboneSource",
    "CurationSettings",
    "DatasetFacts",
    "FetchingSettings",
    "FolderSource",
    "GbifDownloadSource",
    "GbifSearchSource",
    "IdigbioSource",
    "Job",
    "Mix",
    "ModelSettings",
    "OodScore",
    "OutputSettings",
    "Preprocessing",
    "Range",
    "Source",
    "SplitSettings",
    "Strength",
    "SweepSettings",
    "TableSource",
    "TaxaSettings",
    "TaxonEntry",
    "TrainingSettings",
    "TrustSettings",
    "ViewCounts",
    "WebSource",
    "apply_recipe",
    "backbone_source",
    "dump_job",
    "job_schema",
    "load_job",
    "with_settings",
    "write_job_template",
]
