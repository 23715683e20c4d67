"""Checks that what is needed beyond identification is installed: the extra ``train``, and torch with torchvision."""

import importlib.metadata
from importlib.util import find_spec

from leafid.errors import InstallationError

TRAINING_MODULES = (
    *("albumentations", "captum", "imagehash", "lightning", "matplotlib", "pandas", "pyarrow", "scipy", "sklearn"),
    *("tensorboard", "torch", "torchmetrics", "torchvision"),
)
"""What the extra ``train`` brings, by the names that are imported."""


def require_training() -> None:
    """Check that the packages for training are installed, without importing them.

    Raises:
        InstallationError: this installation only identifies.
    """
    _require(TRAINING_MODULES)


def require_torch() -> None:
    """Import torch and torchvision, which everything needs that needs a network as more than a compiled engine.

    Raises:
        InstallationError: this installation only identifies, or the two do not match (a CPU-only torch with another
            torchvision fails with ``operator torchvision::nms does not exist``).
    """
    require_training()
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


def require_pandas() -> None:
    """Check that pandas is installed, which collecting and data frames need. Raises InstallationError if it is not."""
    _require(("pandas",))


def require_parquet() -> None:
    """Check that pyarrow is installed, which reads and writes Parquet.

    Raises:
        InstallationError: it is not.
    """
    if find_spec("pyarrow") is None:
        raise InstallationError(
            "Parquet needs pyarrow, which is not installed here. Use .csv or .jsonl, or run: pip install pyarrow."
        )


def _require(modules: tuple[str, ...]) -> None:
    missing = [module for module in modules if find_spec(module) is None]
    if "torch" in missing:
        raise InstallationError(
            "leafid was installed here to identify only, and this needs the packages for training. "
            "Run: pip install 'leafid[train]'."
        )
    if missing:
        raise InstallationError(
            f"This needs {', '.join(missing)}, not installed here. Run: pip install 'leafid[train]'."
        )


_FIX = (
    "Install both from the same package index: pip install --force-reinstall torch torchvision, "
    "or delete .venv and run make again."
)
