"""Public images into the catalog: folders, tables, and what herbaria publish through GBIF, iDigBio and archives."""

from leafid.sources.collect import Collected, collect
from leafid.sources.found import Failure, Found, FoundImage, Measured, SourceReason
from leafid.sources.public import DryRun, dry_run

__all__ = ["Collected", "DryRun", "Failure", "Found", "FoundImage", "Measured", "SourceReason", "collect", "dry_run"]
