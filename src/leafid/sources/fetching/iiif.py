"""IIIF: servers that scale images. From a manifest or an image address to the address of one JPEG of the right size.

IIIF Presentation API 2 and 3 (manifests), IIIF Image API 1 to 3 (``info.json``); see iiif.io/api.
"""

import re
from collections.abc import Mapping
from typing import Any

from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.web_client import WebClient

MANIFEST = "iiif-manifest:"
"""Stands before the address of a manifest in plans and the journal."""
SERVICE = "iiif-image:"
"""Stands before the base address of an image service."""

_IMAGE_ADDRESS = re.compile(
    r"^(?P<base>https?://\S+)/(?:full|square|pct:[\d.,]+|\d+,\d+,\d+,\d+)"
    r"/(?:\^?(?:full|max|pct:[\d.]+|\d+,|,\d+|!?\d+,\d+))/!?[\d.]+/(?:default|color|gray|native|bitonal)\.[a-z0-9]{3,4}$"
)


def service_of(url: str) -> str | None:
    """Return the base address of the image service if ``url`` asks one for an image, else None."""
    match = _IMAGE_ADDRESS.match(url)
    return match["base"] if match else None


def is_manifest(url: str, medium_format: str | None, medium_type: str | None) -> bool:
    """Whether a medium is a manifest: a list of images, not an image."""
    path = url.split("?", 1)[0].lower()
    kind = (medium_format or "").lower()
    return path.endswith(("/manifest", "/manifest.json")) or (
        "json" in kind and (medium_type or "").lower().endswith("interactiveresource")
    )


async def image_address(client: WebClient, planned: str, max_side: int) -> str:
    """Turn ``iiif-manifest:...`` or ``iiif-image:...`` into the address of an image, at most ``max_side`` pixels long.

    Raises:
        FetchError: the manifest or ``info.json`` cannot be had or understood.
    """
    if planned.startswith(MANIFEST):
        address = planned.removeprefix(MANIFEST)
        base, plain = _first_image(await client.json(address), address)
        if base is None:
            return plain
    else:
        base = planned.removeprefix(SERVICE)
    info = await client.json(f"{base}/info.json")
    if not isinstance(info, dict):
        raise FetchError("iiif", f"{base}/info.json is no description of an image", attempts=1)
    return _sized(base, info, max_side)


def _first_image(manifest: Any, address: str) -> tuple[str | None, str]:  # noqa: ANN401 -- JSON of a stranger
    """Return the image service, if there is one, and the plain address of the first canvas's image."""
    try:
        if "sequences" in manifest:
            resource = manifest["sequences"][0]["canvases"][0]["images"][0]["resource"]
        else:
            resource = manifest["items"][0]["items"][0]["items"][0]["body"]
        if isinstance(resource, list):
            resource = resource[0]
        if resource.get("type") == "Choice" or resource.get("@type") == "oa:Choice":
            resource = (resource.get("items") or [resource.get("default")])[0]
        services = resource.get("service") or []
        service = services[0] if isinstance(services, list) and services else services
        base = _identifier(service) if service else None
        plain = _identifier(resource)
    except (KeyError, IndexError, TypeError, AttributeError):
        raise FetchError("iiif", f"{address} is no IIIF manifest with an image", attempts=1) from None
    if base is None and not plain:
        raise FetchError("iiif", f"{address} names no image", attempts=1)
    return (base.rstrip("/") if base else service_of(plain)), plain


def _identifier(thing: Mapping[str, Any]) -> str:
    found = thing.get("id") or thing.get("@id") or ""
    return found if isinstance(found, str) else ""


def _sized(base: str, info: Mapping[str, Any], max_side: int) -> str:
    """Ask for the whole image at the largest size that is offered and not above ``max_side``."""
    width, height = _whole(info.get("width")), _whole(info.get("height"))
    version = _version(info)
    full = "max" if version >= 3 else "full"
    quality = "native" if version < 2 else "default"
    allowed = min(one for one in (max_side, _allowed_side(info, width, height)) if one is not None)
    if width is None or height is None or max(width, height) <= allowed:
        size = full
    elif _only_listed_sizes(info):
        size = _listed(info, allowed) or full
    else:
        size = f"{max(1, int(width * allowed / max(width, height)))},"
    return f"{base}/full/{size}/0/{quality}.jpg"


def _allowed_side(info: Mapping[str, Any], width: int | None, height: int | None) -> int | None:
    """The longest side that the server's own limits (width, height, area) leave, or None without limits."""
    if width is None or height is None:
        return None
    limits = {name: _whole(info.get(name)) for name in ("maxWidth", "maxHeight", "maxArea")}
    profile = info.get("profile")
    for part in profile if isinstance(profile, list) else ():
        if isinstance(part, dict):  # version 2 hides the limits here
            limits |= {name: _whole(part[name]) for name in limits if name in part}
    shares = [1.0]
    if limits["maxWidth"]:
        shares += [limits["maxWidth"] / width, (limits["maxHeight"] or limits["maxWidth"]) / height]
    if limits["maxArea"]:
        shares.append((limits["maxArea"] / (width * height)) ** 0.5)
    return int(max(width, height) * min(shares))


def _only_listed_sizes(info: Mapping[str, Any]) -> bool:
    """Whether the service has no more than prepared files (compliance level 0)."""
    profile = info.get("profile")
    first = profile[0] if isinstance(profile, list) and profile else profile
    return isinstance(first, str) and ("level0" in first)


def _listed(info: Mapping[str, Any], allowed: int) -> str | None:
    """The largest listed size within the limit, or the smallest of all."""
    listed = [one for one in info.get("sizes") or () if isinstance(one, dict)]
    sizes = sorted((w, h) for one in listed if (w := _whole(one.get("width"))) and (h := _whole(one.get("height"))))
    fitting = [size for size in sizes if max(size) <= allowed]
    chosen = fitting[-1:] or sizes[:1]
    if not chosen:
        return None
    return f"{chosen[0][0]},{chosen[0][1]}" if _version(info) >= 3 else f"{chosen[0][0]},"


def _version(info: Mapping[str, Any]) -> int:
    context = str(info.get("@context", ""))
    if "image/3" in context:
        return 3
    return 1 if "library.stanford.edu" in context or "image-api/1.1" in context else 2


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
