"""Data sets, augmentation, network and training: from a catalog to a run, and from a run to a bundle."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
