"""Turn a sheet or photo into the views that the network sees: plant mask, leaf crops, vein map."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
