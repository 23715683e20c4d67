"""Prints pages to PDF with a Chromium that is installed, without a window and without the network."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from leafid.errors import InstallationError, OutputError
from leafid.files import written_atomically

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_SECONDS = 120


def find_chromium() -> str:
    """Return the program.

    Raises:
        InstallationError: none is installed.
    """
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise InstallationError(
            "PDF files are printed by Chromium or Chrome, and none is found. Install one, or leave out --pdf and print "
            "the pages from your browser."
        )
    return found


def print_to_pdf(page: Path, pdf: Path, chromium: str) -> None:
    """Print a page, atomically.

    Args:
        page: an HTML file.
        pdf: the file to write.
        chromium: from ``find_chromium``.

    Raises:
        OutputError: it cannot be printed, or the file cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="leafid-browser-") as profile, written_atomically(pdf) as temporary:
        words = [
            chromium,
            "--headless",
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
            "--no-pdf-header-footer",
            f"--user-data-dir={profile}",
            f"--print-to-pdf={temporary.absolute()}",
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            words.append("--no-sandbox")  # Chromium has no sandbox for the root user; the page is leafid's own
        try:
            finished = subprocess.run(
                [*words, page.absolute().as_uri()], capture_output=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise OutputError(f"{pdf} cannot be printed by {chromium}: {error}.") from None
        if finished.returncode or not temporary.is_file():
            detail = (finished.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"])[-1]
            raise OutputError(f"{pdf} cannot be printed by {chromium}: {detail[:300]}.")
