"""Bundles on the web: packed ones at an address with their hash, and models of the Hugging Face Hub.

A packed bundle is a stranger's file until its hash has been compared with the one that the user was given, so an
address without a hash is refused. It is kept in the cache under this hash and fetched once.
"""

import hashlib
import http.client
import logging
import os
import re
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from leafid.bundle.folder import INFO
from leafid.bundle.zip_bundles import MAX_BYTES, MEMBER, cached_bundle, check_thumbnails, unpack_bundle
from leafid.errors import BundleError, InstallationError, UsageError
from leafid.version import __version__

log = logging.getLogger(__name__)

_ADDRESS = re.compile(r"(?P<scheme>https?|hf):/{1,2}(?P<rest>[^/].*)", re.IGNORECASE | re.DOTALL)
"""An address; a ``Path`` has lost one of its two slashes."""
_HUB = re.compile(r"(?P<repository>[\w-][\w.-]*/[\w-][\w.-]*)(?:@(?P<revision>[\w-][\w./-]*))?", re.ASCII)

_SECONDS_WITHOUT_DATA = 30
_LEAST_RATE = 10_000  # bytes per second on average after the first minute
_BLOCK = 1_000_000


def is_bundle_address(bundle: Path | str) -> bool:
    """Return whether a bundle is named by an address on the web."""
    return _ADDRESS.fullmatch(str(bundle)) is not None


def fetched_bundle(address: str) -> Path:
    """Return the folder of a bundle on the web, fetched if the cache does not have it.

    Args:
        address: ``https://HOST/FILE.zip#sha256=HASH`` or ``hf://OWNER/NAME@REVISION``; without a revision, the newest.

    Raises:
        UsageError: the address is of another kind, or has no hash.
        BundleError: it cannot be fetched, is not the named file, is damaged, or is no bundle.
        InstallationError: the Hub's package is not installed.
    """
    parts = _ADDRESS.fullmatch(address)
    if parts is None:
        raise UsageError(f"{address} is no address of a bundle.")
    if parts["scheme"].lower() == "hf":
        return _from_hub(parts["rest"])
    if parts["scheme"].lower() == "http":
        raise UsageError(f"{address}: bundles are fetched over https only. Write https://")
    url, _, fragment = f"https://{parts['rest']}".partition("#")
    sha256 = fragment.removeprefix("sha256=").lower()
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise UsageError(
            f"{url} needs the SHA-256 of the file, so that no other one is used: {url}#sha256=... with the 64 digits "
            "that `leafid bundle pack` or `sha256sum` gave to whoever offers it."
        )
    folder = cached_bundle(sha256)
    if not folder.is_dir():
        _fetch(url, sha256, folder)
    return folder


def _fetch(url: str, sha256: str, folder: Path) -> None:
    file = folder.with_name(f".{sha256}.{os.getpid()}.zip")
    log.info("Fetching the bundle %s", url)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _open(url) as reply, file.open("wb") as target:
            found = _copy(url, reply, target)
        if found != sha256:
            raise BundleError(
                f"{url} has the SHA-256 {found}, not {sha256}: it is another file, or was changed. It is not used."
            )
        unpack_bundle(file, folder)
    except urllib.error.HTTPError as error:
        raise BundleError(f"{url} cannot be fetched: the server answers {error.code} {error.reason}.") from None
    except urllib.error.URLError as error:
        raise BundleError(f"{url} cannot be fetched: {error.reason}.") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        detail = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
        raise BundleError(f"{url} cannot be fetched: {detail}.") from None
    except BundleError as error:
        raise BundleError(str(error).replace(str(file), url)) from None
    finally:
        file.unlink(missing_ok=True)


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects that stay on https."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the next request."""
        if urlsplit(newurl).scheme != "https":
            raise urllib.error.URLError(f"the server redirects to {newurl[:100]}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, headers={"User-Agent": f"leafid/{__version__}"})
    opener = urllib.request.build_opener(_HttpsOnly)
    reply: http.client.HTTPResponse = opener.open(request, timeout=_SECONDS_WITHOUT_DATA)
    return reply


def _copy(url: str, reply: http.client.HTTPResponse, target: IO[bytes]) -> str:
    """Copy a reply into a file, up to the largest size of a bundle; return its SHA-256.

    Raises:
        BundleError: it is larger, or comes too slowly.
    """
    stated = reply.headers.get("Content-Length", "")
    if stated.isdecimal() and int(stated) > MAX_BYTES:
        raise BundleError(f"{url} has {int(stated) / 1e9:.1f} GB; a bundle has at most {MAX_BYTES / 1e9:g}.")
    digest, received, started = hashlib.sha256(), 0, time.monotonic()
    while block := reply.read1(_BLOCK):
        received += len(block)
        if received > MAX_BYTES:
            raise BundleError(f"{url} has more than the {MAX_BYTES / 1e9:g} GB of the largest bundle.")
        seconds = time.monotonic() - started
        if seconds > 60 and received < _LEAST_RATE * seconds:
            raise BundleError(f"{url} comes too slowly: {received:,} bytes in {seconds:.0f} s. Try again later.")
        digest.update(block)
        target.write(block)
    return digest.hexdigest()


def _from_hub(name: str) -> Path:
    """Return the folder of a model of the Hugging Face Hub in the Hub's own cache."""
    parts = _HUB.fullmatch(name)
    if parts is None:
        raise UsageError(
            f"hf://{name}: write hf://OWNER/NAME, or hf://OWNER/NAME@REVISION for a branch, tag or commit."
        )
    try:
        from huggingface_hub import HfApi, hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        raise InstallationError("Models of the Hugging Face Hub need its package: pip install 'leafid[hub]'") from None
    repository, revision = parts["repository"], parts["revision"]
    try:
        model = HfApi().model_info(repository, revision=revision, files_metadata=True, timeout=_SECONDS_WITHOUT_DATA)
        sizes = {file.rfilename: file.size or 0 for file in model.siblings or () if MEMBER.fullmatch(file.rfilename)}
        if INFO not in sizes:
            raise BundleError(f"hf://{name} is not a bundle: it has no {INFO}. Ask its owner for a model of leafid.")
        if sum(sizes.values()) > MAX_BYTES:
            raise BundleError(
                f"hf://{name} has {sum(sizes.values()) / 1e9:.1f} GB; a bundle has at most {MAX_BYTES / 1e9:g}."
            )
        for file in sorted(sizes, key=lambda name: name == INFO):  # last, so that a folder that has it is complete
            kept = hf_hub_download(repository, file, revision=model.sha)
        check_thumbnails(Path(kept).parent)
        return Path(kept).parent
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no answer"
        raise BundleError(
            f"hf://{name} cannot be fetched: the Hub answers {status}. Check owner, name and revision; a private model "
            "needs `hf auth login`."
        ) from None
    except BundleError:
        raise
    except Exception as error:  # which library carries the requests, and so its errors, differs between versions
        try:
            return Path(hf_hub_download(repository, INFO, revision=revision, local_files_only=True)).parent
        except (OSError, ValueError):
            detail = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BundleError(f"hf://{name} cannot be fetched, and is not in the cache: {detail}.") from None
