"""Save what is needed to report a defect of leafid."""

import sys
import tempfile
import traceback

from leafid.version import __version__


def save_defect(error: BaseException) -> str:
    """Write version, command line and traceback to a file; return its name, or a remark if no file can be written."""
    lines = traceback.format_exception(error)
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="leafid-defect-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as report:
            report.write(f"leafid {__version__}\n{sys.argv}\n{''.join(lines)}")
    except OSError:
        return f"(not saved: no file can be written in {tempfile.gettempdir()})"
    return report.name
