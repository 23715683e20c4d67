"""leafid distinguishes *Mitragyna speciosa* (kratom) from its look-alikes by leaf and vein pattern.

The packages form layers; each imports only packages to its right:

    cli -> identify -> trust -> learning -> characters -> sheets -> curation -> sources -> top-level modules

``sources`` collects images of herbarium sheets, ``curation`` checks and splits them, ``sheets`` cuts the views, and
``learning`` trains a network and writes a bundle, which ``trust`` calibrates and evaluates. ``identify`` applies a
bundle to new photos and writes records. ``characters`` measures leaves. ``demo`` draws a synthetic herbarium and is
independent of the other packages.

``import leafid`` is fast, because torch is imported when an ``Identifier`` is loaded.
"""

import os
from typing import TYPE_CHECKING

from leafid.version import __version__

if TYPE_CHECKING:
    from leafid.identify import Identifier

# OpenCV reads this on import. leafid parallelises over processes, with which OpenCV's own threads would compete; and a
# process that is forked while such threads exist can deadlock.
os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
# OpenMP reads this when torch is imported: how often an idle thread spins before it sleeps. With the default, training
# is many times slower whenever another process uses the cores; with 0, it is slower when it runs alone.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__all__ = ["Identifier", "__version__"]


def __getattr__(name: str) -> object:
    """Import ``Identifier`` on first access (PEP 562)."""
    if name == "Identifier":
        from leafid.identify import Identifier

        return Identifier
    raise AttributeError(f"module 'leafid' has no attribute {name!r}")
