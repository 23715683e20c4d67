"""Public images into the catalog: folders, tables, and what herbaria publish through GBIF, iDigBio and archives."""

from leafid.sources.addresses import is_web_address
from leafid.sources.collect import Collected, collect
from leafid.sources.found import Failure, Found, FoundImage, Measured, SourceReason
from leafid.sources.image_fetcher import ImageFetcher
from leafid.sources.licences import read_licence
from leafid.sources.public import DryRun, dry_run

__all__ = [
    "Collected",
    "DryRun",
    "Failure",
    "Found",
    "FoundImage",
    "ImageFetcher",
    "Measured",
    "SourceReason",
    "collect",
    "dry_run",
    "is_web_address",
    "read_licence",
]
