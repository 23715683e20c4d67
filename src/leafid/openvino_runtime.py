"""Imports the runtime of OpenVINO."""

import sys
from importlib import import_module
from threading import Lock
from types import ModuleType

import numpy as np

CONVERTER = "openvino.tools.ovc"

_importing = Lock()


def import_openvino() -> ModuleType:
    """Import the runtime of OpenVINO without its converter.

    ``import openvino`` also imports the converter, unless that raises an ImportError. This takes longer than the rest
    of the import, and reports each import over the network. ``openvino.tools.ovc`` can still be imported afterwards.
    """
    with _importing:  # else a second thread gets the half-imported module that the first has begun
        if "openvino" in sys.modules:
            return sys.modules["openvino"]
        sys.modules[CONVERTER] = None  # type: ignore[assignment] # makes the import raise an ImportError
        try:
            openvino = import_module("openvino")
        finally:
            del sys.modules[CONVERTER]
        # The first use of an array looks up numpy behind a lock of C++ that is held while Python's is given away: two
        # threads that come first wait for each other for ever. So it is used once here, by one thread alone.
        openvino.Tensor(np.zeros(1, np.float32)).data.fill(0)
        return openvino
