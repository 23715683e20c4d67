"""Calibration, out-of-distribution detection, prediction sets, decisions, evaluation and explanation of a bundle."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
