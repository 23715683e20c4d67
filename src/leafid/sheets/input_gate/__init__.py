"""A learned input gate: is this a sharp picture of a leaf, and if not, what is wrong with it?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
