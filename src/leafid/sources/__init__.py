"""Public images into the catalog: folders, tables, and what herbaria publish through GBIF, iDigBio and archives."""

from leafid.sources.collect import Collected, collect
from leafid.sources.fetching.addresses import is_web_address
from leafid.sources.fetching.image_fetcher import ImageFetcher
from leafid.sources.found import Failure, Found, FoundImage, Measured, SourceReason
from leafid.sources.providers.licences import read_licence
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
