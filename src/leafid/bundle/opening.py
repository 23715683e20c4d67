"""Find and read a bundle: a folder, the run that holds it, a packed one, or one on the web."""

from collections.abc import Iterable
from pathlib import Path

from leafid.bundle.addresses import fetched_bundle, is_bundle_address
from leafid.bundle.folder import INFO, Bundle, folder_of, read_bundle_folder
from leafid.bundle.zip_bundles import is_zip, unpacked_in_cache
from leafid.errors import UsageError


def read_bundle(bundle: Path | str) -> Bundle:
    """Read and check a bundle.

    Args:
        bundle: as for ``bundle_folder``.

    Raises:
        BundleError: missing, damaged, foreign, or written by an older or newer leafid; or it cannot be fetched.
        UsageError: an address has no hash, or is of another kind.
        InstallationError: the package for an address of the kind ``hf://`` is not installed.
    """
    return read_bundle_folder(bundle_folder(bundle))


def bundle_folder(bundle: Path | str) -> Path:
    """Return the folder of a bundle.

    Args:
        bundle: a bundle folder; a run folder that holds one as ``bundle/``; a ``.zip`` file that ``pack_bundle`` wrote,
            which is unpacked into the user's cache; ``https://HOST/FILE.zip#sha256=HASH``, which is fetched into the
            cache and refused unless it has this hash; or ``hf://OWNER/NAME@REVISION``, a model of the Hugging Face Hub,
            which is fetched into the Hub's cache.

    Raises:
        BundleError, UsageError, InstallationError: as ``read_bundle``; the weights are not read here.
    """
    if is_bundle_address(bundle):
        return fetched_bundle(str(bundle))
    path = Path(bundle)
    return unpacked_in_cache(path) if is_zip(path) else folder_of(path)


def check_is_bundle(path: Path, *, others: Iterable[Path | str] = ()) -> None:
    """Check early, without reading it, that an argument may be a bundle, and not another argument in its place.

    Args:
        path: the argument that should be a bundle or a run.
        others: the other arguments of the command.

    Raises:
        UsageError: one of ``others`` is a bundle, and ``path`` is not.
    """
    if is_zip(path) or _holds_bundle(path):
        return
    swapped = next((other for other in others if _holds_bundle(Path(other))), None)
    if swapped is not None:
        raise UsageError(f"{path} is not a bundle, and {swapped} is one. Name the bundle first: {swapped} {path}")


def _holds_bundle(path: Path) -> bool:
    try:
        return any((path / inner).is_file() for inner in (INFO, f"bundle/{INFO}"))
    except (OSError, ValueError):  # names that no file can have
        return False
