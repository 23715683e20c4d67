"""Do the installed packages work together? Asked before torch is used, so that the answer is a sentence."""

import importlib.metadata

from leafid.errors import InstallationError


def require_torch() -> None:
    """Import torch and torchvision.

    Raises:
        InstallationError: they are not a matching pair (a CPU-only torch beside the registry's torchvision fails with
            ``operator torchvision::nms does not exist``), or one is missing.
    """
    try:
        import torch
        import torchvision  # noqa: F401 -- the import is the test
    except ImportError as error:
        raise InstallationError(f"torch and torchvision cannot be imported ({error}). {_MEND}") from None
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        versions = f"torch {torch.__version__}, torchvision {importlib.metadata.version('torchvision')}"
        raise InstallationError(f"torch and torchvision do not belong together ({versions}). {_MEND}") from None


_MEND = (
    "Install both from the same place: pip install --force-reinstall torch torchvision, "
    "or delete .venv and call make again."
)
