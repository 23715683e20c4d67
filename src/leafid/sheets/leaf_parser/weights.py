"""The shipped weights: one safetensors file per network in half precision, and the hashes that they must have."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leafid.errors import WeightsError

Weights = dict[str, NDArray[np.float32]]

FOLDER = Path(__file__).parent / "weights"
_HASHES = "sha256.json"


def read_weights(name: str, folder: Path = FOLDER) -> Weights:
    """Read the weights of a network as float32.

    Args:
        name: `overview` or `leaf`.
        folder: where `NAME.safetensors` and the hashes lie.

    Raises:
        WeightsError: the file is missing or is not the one that was shipped.
    """
    from safetensors.numpy import load

    path = folder / f"{name}.safetensors"
    try:
        content = path.read_bytes()
        expected = json.loads((folder / _HASHES).read_text(encoding="utf-8"))[name]
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(f"{path} or its hash in {_HASHES} is missing. Install leafid again.") from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise WeightsError(f"{path} is damaged: SHA-256 {found}, not {expected}. Install leafid again.")
    return {key: np.asarray(value, np.float32) for key, value in load(content).items()}


def write_weights(folder: Path, name: str, weights: Weights) -> Path:
    """Write the weights of a network in half precision, and their hash beside those of the others."""
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    content = save({key: np.ascontiguousarray(value.astype(np.float16)) for key, value in weights.items()})
    path = folder / f"{name}.safetensors"
    path.write_bytes(content)
    hashes = folder / _HASHES
    known = json.loads(hashes.read_text(encoding="utf-8")) if hashes.exists() else {}
    known[name] = hashlib.sha256(content).hexdigest()
    hashes.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return path
