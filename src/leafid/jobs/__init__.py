"""The job file: a frozen, typed description of the whole pipeline, one module for each section.

Every setting is declared once, here, with its type, range, default and description. The help, the JSON Schema, the
checks and the record of a run derive from that declaration.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
