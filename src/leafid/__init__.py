"""leafid tells *Mitragyna speciosa* (kratom) from its look-alikes by leaf and vein pattern.

The house is one straight street; each package imports only what stands to its right:

    cli -> identify -> trust -> learning -> sheets -> curation -> sources -> single files

A herbarium sheet walks in at ``sources`` and leaves ``learning`` as a bundle (a trained model that can be trusted); a
new photo walks in at ``identify`` with that bundle and leaves as a record. ``demo`` draws the sheets of an invented
herbarium.

Importing ``leafid`` is cheap: torch is loaded when an ``Identifier`` is.
"""

import os
from typing import TYPE_CHECKING

from leafid.version import __version__

if TYPE_CHECKING:
    from leafid.identify import Identifier

# Read by OpenCV when it is loaded. leafid works in processes; OpenCV's own threads would compete with them, and a
# process that is forked while they exist waits for them for ever.
os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
# Read by OpenMP when torch is loaded: torch's threads wait asleep for each other. By default they wait spinning, and
# where anything else wants the cores, training becomes slower tenfold (measured on 2 cores: 3 images/s against 32).
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

__all__ = ["Identifier", "__version__"]


def __getattr__(name: str) -> object:
    """Load ``Identifier`` (and torch with it) when it is first asked for (PEP 562)."""
    if name == "Identifier":
        from leafid.identify import Identifier

        return Identifier
    raise AttributeError(f"module 'leafid' has no attribute {name!r}")
