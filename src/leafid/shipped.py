"""Find data files of the installed package: job files and tables.

A checkout has them in ``configs/`` and ``data/`` at the top level, a wheel in ``leafid/_shipped``.
"""

from pathlib import Path

from leafid.errors import InstallationError

_PACKAGE = Path(__file__).resolve().parent


def shipped(relative: str) -> Path:
    """Return the path of a shipped file, such as ``configs/demo.yaml`` or ``data/leaf_characters.csv``.

    Raises:
        InstallationError: the file is neither in the installed package nor in its checkout.
    """
    for root in (_PACKAGE / "_shipped", _PACKAGE.parents[1]):
        path = root / relative
        if path.is_file():
            return path
    raise InstallationError(
        f"{relative} is missing from this installation of leafid. Install it again from a wheel or a checkout."
    )
