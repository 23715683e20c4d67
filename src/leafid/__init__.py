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
# Read by OpenMP when torch is loaded: how often torch's threads look for each other before they fall asleep. By default
# they look so long that training becomes fifty times slower where anything else wants the cores. On 2 cores, images/s
# alone and beside a busy process: 151 and 3 by default, 144 and 22 with this, 98 and 32 asleep at once.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__all__ = ["Identifier", "__version__"]


def __getattr__(name: str) -> object:
    """Load ``Identifier`` (and torch with it) when it is first asked for (PEP 562)."""
    if name == "Identifier":
        from leafid.identify import Identifier

        return Identifier
    raise AttributeError(f"module 'leafid' has no attribute {name!r}")
