"""Curate a catalog for training: gatherings, duplicates, conflicts, splits and audit."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
