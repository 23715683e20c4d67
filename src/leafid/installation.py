"""Checks that torch and torchvision work together, before they are used."""

import importlib.metadata

from leafid.errors import InstallationError


def require_torch() -> None:
    """Import torch and torchvision.

    Raises:
        InstallationError: one is missing, or they do not match (a CPU-only torch with another torchvision fails with
            ``operator torchvision::nms does not exist``).
    """
    try:
        import torch
        import torchvision  # noqa: F401 -- the import is the test
    except ImportError as error:
        raise InstallationError(f"torch and torchvision cannot be imported ({error}). {_FIX}") from None
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        versions = f"torch {torch.__version__}, torchvision {importlib.metadata.version('torchvision')}"
        raise InstallationError(f"torch and torchvision do not match ({versions}). {_FIX}") from None


_FIX = (
    "Install both from the same package index: pip install --force-reinstall torch torchvision, "
    "or delete .venv and run make again."
)
