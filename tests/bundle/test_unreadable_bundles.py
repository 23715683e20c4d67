"""A bundle that a colleague may not read is refused in a sentence that says so, and never as damage or a defect."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from leafid.bundle import read_bundle
from leafid.errors import BundleError
from tests.bundle.small_bundles import write_small_bundle

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a bundle in a folder that every user can enter, unlike those of pytest."""
    outer = Path(tempfile.mkdtemp(prefix="leafid-unreadable-"))
    outer.chmod(0o755)
    yield write_small_bundle(outer / "bundle")
    (outer / "bundle").chmod(0o755)
    shutil.rmtree(outer)


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Give up the right of the root user to read everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")
@pytest.mark.parametrize("name", ["", "bundle.json", "model.safetensors"])
def test_what_may_not_be_read_is_named_with_the_way_out(folder: Path, name: str) -> None:
    read_bundle(folder)  # imports what it needs, which an ordinary user may not be able to read
    (folder / name).chmod(0)
    with ordinary_user(), pytest.raises(BundleError) as refused:
        read_bundle(folder)
    assert str(refused.value) == (
        f"{folder / name} cannot be read: Permission denied. Ask its owner to let you read it: `chmod -R a+rX` on the "
        "folder of the bundle."
    )
