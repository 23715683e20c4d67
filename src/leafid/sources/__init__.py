"""Collect images into the catalog: folders, tables, GBIF, iDigBio and Darwin Core Archives."""

from leafid.sources.collect import CollectionSummary, collect
from leafid.sources.fetching.addresses import is_web_address
from leafid.sources.fetching.image_fetcher import ImageFetcher
from leafid.sources.providers.licences import read_licence
from leafid.sources.public_sources import DryRun, dry_run
from leafid.sources.source_result import Failure, ImageFileInfo, SourceFailureReason, SourceImage, SourceResult

__all__ = [
    "CollectionSummary",
    "DryRun",
    "Failure",
    "ImageFetcher",
    "ImageFileInfo",
    "SourceFailureReason",
    "SourceImage",
    "SourceResult",
    "collect",
    "dry_run",
    "is_web_address",
    "read_licence",
]
