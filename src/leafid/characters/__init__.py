"""Measure leaf characters: form, size and secondary veins of single leaves, compared with the ranges in floras.

Terms follow the Manual of Leaf Architecture (Ellis et al. 2009).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
