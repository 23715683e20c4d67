"""Collect images into the catalog: folders, tables, GBIF, iDigBio and Darwin Core Archives."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
