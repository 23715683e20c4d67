"""IIIF: resolve a manifest or image service to the address of one JPEG of the requested size.

Supports IIIF Presentation API 2 and 3 (manifests) and IIIF Image API 1 to 3 (``info.json``); see iiif.io/api.
"""

import re
from collections.abc import Mapping
from typing import Any

from leafid.sources.fetching.body import MAX_JSON_PARTS
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.web_client import WebClient

MANIFEST_PREFIX = "iiif-manifest:"
"""Prefix of the address of a manifest in plans and the journal."""
SERVICE_PREFIX = "iiif-image:"
"""Prefix of the base address of an image service in plans and the journal."""

MAX_INFO_BYTES = 1_000_000
MAX_MANIFEST_BYTES = 10_000_000
"""Largest manifest; those of books with thousands of pages have some megabytes."""
MAX_WRAPPERS = 10
MAX_SERVICES = 100
MAX_PIXELS_A_SIDE = 10_000_000

_IMAGE_SERVICE = re.compile(r"ImageService\d|iiif\.io/api/image|/image-api/|^level[012]$|\blevel[012]\b")
_IMAGE_ADDRESS = re.compile(
    r"^(?P<base>https?://\S+)/(?:full|square|pct:[\d.,]+|\d+,\d+,\d+,\d+)"
    r"/(?:\^?(?:full|max|pct:[\d.]+|\d+,|,\d+|!?\d+,\d+))/!?[\d.]+/(?:default|color|gray|native|bitonal)\.[a-z0-9]{3,4}$"
)


def image_service_of(url: str) -> str | None:
    """Return the base address of the image service if ``url`` is an IIIF image request, else None."""
    match = _IMAGE_ADDRESS.match(url)
    return match["base"] if match else None


def is_manifest(url: str, medium_format: str | None, medium_type: str | None) -> bool:
    """Whether a medium is an IIIF manifest, which lists images, instead of an image."""
    path = url.split("?", 1)[0].lower()
    kind = (medium_format or "").lower()
    return path.endswith(("/manifest", "/manifest.json")) or (
        "json" in kind and (medium_type or "").lower().endswith("interactiveresource")
    )


async def resolve_image_url(client: WebClient, planned: str, max_side: int) -> str:
    """Resolve ``iiif-manifest:...`` or ``iiif-image:...`` to an image of at most ``max_side`` pixels a side.

    Raises:
        FetchError: the manifest or ``info.json`` cannot be fetched or read.
    """
    if planned.startswith(MANIFEST_PREFIX):
        address = planned.removeprefix(MANIFEST_PREFIX)
        manifest = await client.fetch_json(address, max_bytes=MAX_MANIFEST_BYTES, max_parts=MAX_JSON_PARTS)
        base, plain = _first_image(manifest, address)
        if base is None:
            return plain
    else:
        base = planned.removeprefix(SERVICE_PREFIX)
    info = await client.fetch_json(f"{base}/info.json", max_bytes=MAX_INFO_BYTES, max_parts=MAX_JSON_PARTS)
    if not isinstance(info, dict):
        raise FetchError("iiif", f"{base}/info.json does not describe an image", max_attempts=1)
    return _image_request(base, info, max_side)


def _first_image(manifest: Any, address: str) -> tuple[str | None, str]:  # noqa: ANN401 -- untrusted JSON
    """Return the image service, if any, and the plain address of the first canvas's image."""
    try:
        if "sequences" in manifest:
            resource = manifest["sequences"][0]["canvases"][0]["images"][0]["resource"]
        else:
            resource = manifest["items"][0]["items"][0]["items"][0]["body"]
        resource = _unwrapped(resource)
        base = _image_service(resource.get("service"))
        plain = _identifier(resource)
    except (KeyError, IndexError, TypeError, AttributeError):
        raise FetchError("iiif", f"{address} is not an IIIF manifest with an image", max_attempts=1) from None
    if base is None and not plain:
        raise FetchError("iiif", f"{address} names no image", max_attempts=1)
    return (base.rstrip("/") if base else image_service_of(plain)), plain


def _unwrapped(resource: Any) -> Mapping[str, Any]:  # noqa: ANN401 -- untrusted JSON
    """Return the image inside lists, choices (the first) and SpecificResource (its ``source``)."""
    for _ in range(MAX_WRAPPERS):
        if isinstance(resource, str):
            return {"id": resource}
        if isinstance(resource, list):
            resource = resource[0]
        elif resource.get("type") == "Choice" or resource.get("@type") == "oa:Choice":
            resource = (resource.get("items") or [resource.get("default")])[0]
        elif resource.get("type") == "SpecificResource" or resource.get("@type") == "oa:SpecificResource":
            resource = resource.get("source") or resource.get("full")
        else:
            break
    return {**resource}


def _image_service(services: Any) -> str | None:  # noqa: ANN401 -- untrusted JSON
    """Return the base address of the image service among services of several kinds, such as physical dimensions."""
    listed = services if isinstance(services, list) else [services]
    known = [service for service in listed[:MAX_SERVICES] if isinstance(service, dict) and _identifier(service)]
    image = next((service for service in known if _IMAGE_SERVICE.search(_described(service))), None)
    unnamed = next((service for service in known if not _described(service).strip()), None)
    found = image or unnamed
    return _identifier(found) if found else None


def _described(service: Mapping[str, Any]) -> str:
    """Return the texts that name the kind of a service."""
    values = (service.get(key) for key in ("type", "@type", "profile", "@context"))
    return " ".join(
        text for value in values for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)
    )


def _identifier(resource: Mapping[str, Any]) -> str:
    value = resource.get("id") or resource.get("@id") or ""
    return value if isinstance(value, str) else ""


def _image_request(base: str, info: Mapping[str, Any], max_side: int) -> str:
    """Return the request for the whole image at the largest size offered, at most ``max_side``."""
    width, height = _positive_int(info.get("width")), _positive_int(info.get("height"))
    version = _version(info)
    full = "max" if version >= 3 else "full"
    quality = "native" if version < 2 else "default"
    allowed = min(side for side in (max_side, _server_limit(info, width, height)) if side is not None)
    if width is None or height is None or max(width, height) <= allowed:
        size = full
    elif _is_level0(info):
        size = _listed_size(info, allowed) or full
    else:
        size = f"{max(1, int(width * allowed / max(width, height)))},"
    return f"{base}/full/{size}/0/{quality}.jpg"


def _server_limit(info: Mapping[str, Any], width: int | None, height: int | None) -> int | None:
    """Return the longest side within the server's own limits (width, height, area); None if the size is unknown."""
    if width is None or height is None:
        return None
    limits = {name: _positive_int(info.get(name)) for name in ("maxWidth", "maxHeight", "maxArea")}
    profile = info.get("profile")
    for part in profile if isinstance(profile, list) else ():
        if isinstance(part, dict):  # version 2 gives the limits in the profile
            limits |= {name: _positive_int(part[name]) for name in limits if name in part}
    scales = [1.0]
    if limits["maxWidth"]:
        scales += [limits["maxWidth"] / width, (limits["maxHeight"] or limits["maxWidth"]) / height]
    if limits["maxArea"]:
        scales.append((limits["maxArea"] / (width * height)) ** 0.5)
    return int(max(width, height) * min(scales))


def _is_level0(info: Mapping[str, Any]) -> bool:
    """Whether the service offers only listed sizes (compliance level 0)."""
    profile = info.get("profile")
    first = profile[0] if isinstance(profile, list) and profile else profile
    return isinstance(first, str) and ("level0" in first)


def _listed_size(info: Mapping[str, Any], allowed: int) -> str | None:
    """Return the largest listed size within the limit, or the smallest of all."""
    sizes_of_server = info.get("sizes")
    listed = [size for size in (sizes_of_server if isinstance(sizes_of_server, list) else ()) if isinstance(size, dict)]
    sizes = sorted(
        (w, h)
        for size in listed
        if (w := _positive_int(size.get("width"))) and (h := _positive_int(size.get("height")))
    )
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


def _positive_int(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_PIXELS_A_SIDE:
        return value
    return None
