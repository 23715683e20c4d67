"""Own code: a practitioner's backbone, augmentation or loss, named in the job as ``package.module:function``.

A job is trusted like a script: reading it imports the modules that it names. A bundle is not. Its backbone runs only if
a job of this process names the same function, or the environment variable ``LEAFID_OWN_CODE`` does.
"""

import hashlib
import importlib
import importlib.util
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

TRUSTED = "LEAFID_OWN_CODE"
"""Environment variable with the functions, separated by commas, that the bundles of this process may use."""

_REFERENCE = re.compile(r"(?:[^\W\d]\w*\.)*[^\W\d]\w*:[^\W\d]\w*")

_named_by_jobs: set[str] = set()


def is_own_code(name: str) -> bool:
    """Return whether a name is a reference to a function, ``package.module:function``."""
    return ":" in name


def check_own_code(reference: str) -> str:
    """Check that a reference names a function; return the reference.

    Raises:
        ValueError: it does not; the message says how to correct it.
    """
    module, _, name = reference.partition(":")
    if not _REFERENCE.fullmatch(reference):
        raise ValueError("must be package.module:function")
    try:
        content = vars(importlib.import_module(module))
    except ImportError as error:
        raise ValueError(
            f"names a module that cannot be imported ({error}). Install it, or put its folder into PYTHONPATH"
        ) from None
    if not callable(content.get(name)):
        functions = [other for other, value in content.items() if callable(value) and not other.startswith("_")]
        known = f"; it has {', '.join(functions[:8])}" if functions else ""
        raise ValueError(f"names a function that {module} does not have{known}")
    _named_by_jobs.add(reference)
    return reference


OwnCode = Annotated[str, AfterValidator(check_own_code)]
"""A reference to a function that exists."""


def own_function(reference: str) -> Callable[..., Any]:
    """Return the function of a reference that a job of this process or ``LEAFID_OWN_CODE`` names.

    Raises:
        PermissionError: neither does.
        ValueError: there is no such function.
    """
    trusted = {one.strip() for one in os.environ.get(TRUSTED, "").split(",")}
    if reference not in _named_by_jobs | trusted:
        raise PermissionError(
            f"it runs the code {reference}, which is not part of leafid. If you trust it, set the environment variable "
            f"{TRUSTED}={reference}, or export the bundle where it was trained: exported networks need no code"
        )
    module, _, name = check_own_code(reference).partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def own_code_version(reference: str) -> str:
    """Return a hash of the file with the function."""
    spec = importlib.util.find_spec(reference.partition(":")[0])
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return "unknown"
    return f"sha256:{hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()[:12]}"
