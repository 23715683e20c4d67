"""leafid distinguishes *Mitragyna speciosa* (kratom) from its look-alikes by leaf and vein pattern.

The packages form layers; each imports only packages to its right:

    cli -> identify -> trust -> learning -> characters -> sheets -> curation -> sources -> top-level modules

``sources`` collects images of herbarium sheets, ``curation`` checks and splits them, ``sheets`` cuts the views, and
``learning`` trains a network and writes a bundle, which ``trust`` calibrates and evaluates. ``identify`` applies a
bundle to new photos and writes records. ``characters`` measures leaves. ``demo`` draws a synthetic herbarium and is
independent of the other packages.

Packages declare their public names in ``__init__.pyi`` and import the module of a name when the name is first used
(PEP 562). A command therefore imports only what it runs: a photo is identified by a compiled engine without torch.
"""

import os

import lazy_loader

# OpenCV reads this on import. leafid parallelises over processes, with which OpenCV's own threads would compete; and a
# process that is forked while such threads exist can deadlock.
os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
# OpenMP reads this when torch is imported: how often an idle thread spins before it sleeps. With the default, training
# is many times slower whenever another process uses the cores; with 0, it is slower when it runs alone.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
