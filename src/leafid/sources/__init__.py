"""Public images into the catalog: folders, tables, and what others publish."""

from leafid.sources.collect import Collected, collect
from leafid.sources.found import Failure, Found, FoundImage, SourceReason

__all__ = ["Collected", "Failure", "Found", "FoundImage", "SourceReason", "collect"]
