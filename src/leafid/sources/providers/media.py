"""Which of a record's media shows the sheet: the best one is taken, and of every other it is said why not.

Records carry label photos, details, photos of the living plant, IIIF manifests beside the same JPEG, deep-zoom tiles
and thumbnails beside originals; many are told apart only by words in titles, descriptions and addresses.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from leafid.sources.fetching.iiif import MANIFEST, SERVICE, is_manifest, service_of
from leafid.sources.providers.occurrences import Medium

_STILL = ("stillimage", "image", "images", "still image", "photograph", "photo")
_LABEL = re.compile(r"\b(labels?|etiket(te)?n?|etiquettes?|envelopes?|packet|annotation slip|field ?notes?)\b")
_OF_LABEL = re.compile(
    r"^(the )?labels?$|\blabel (only|photo|image)\b|\b(photo|image|picture|scan) of (the |its )?labels?\b"
)
_LIVING = re.compile(r"\b(live|living|habitat|in situ|field photos?)\b")
_OF_LIVING = re.compile(r"\b(living plants?|live plants?|in situ|field photos?|photo(graph)? of (the )?habitat)\b")
_DETAIL = re.compile(r"\b(details?|close ?ups?|macro|micrographs?|microscop[a-z]*|sem|seeds?|pollen|wood)\b")
_SMALL = re.compile(r"\b(thumb(nail)?s?|tn|webview|preview|small|icon|lowres)\b")
_LARGE = re.compile(r"\b(originals?|large|lg|full|fullsize|hires|high|max|best)\b")


@dataclass(frozen=True, slots=True)
class Choice:
    """The medium taken, if any, the addresses to try in this order, and (medium, why) of the others."""

    taken: Medium | None
    urls: tuple[str, ...]
    left: tuple[tuple[Medium, str], ...]


@dataclass(frozen=True, slots=True)
class _Judged:
    medium: Medium
    url: str
    rank: tuple[int, ...]
    remark: str


def choose(media: Sequence[Medium], *, domain: str) -> Choice:
    """Choose the medium that shows the whole sheet best.

    IIIF comes first, since its size can be chosen; then plain images, originals before thumbnails. The other addresses
    of the same record follow as fallbacks where they show the sheet too. Label photos are never taken, photos of the
    living plant only in the domain ``field``.
    """
    left: list[tuple[Medium, str]] = []
    judged: list[_Judged] = []
    seen: dict[str, Medium] = {}
    for medium in media:
        reason = _unusable(medium, domain)
        if reason is None and medium.identifier in seen:
            reason = "the same address as another medium of the record"
        if reason is not None:
            left.append((medium, reason))
            continue
        seen[str(medium.identifier)] = medium
        judged.append(_judge(medium))
    judged.sort(key=lambda one: one.rank)
    if not judged:
        return Choice(None, (), tuple(left))
    best = judged[0]
    same = [one for one in judged[1:] if one.medium.licence.name == best.medium.licence.name and _same_view(best, one)]
    urls = [best.url, *best.medium.fallbacks]
    for other in judged[1:]:
        left.append((other.medium, f"{_why(other, best)}" + ("; tried if the other fails" if other in same else "")))
    urls += [url for one in same for url in (one.url, *one.medium.fallbacks)]
    if best.url.startswith(SERVICE):
        urls.append(str(best.medium.identifier))
    return Choice(best.medium, tuple(dict.fromkeys(urls)), tuple(left))


def _unusable(medium: Medium, domain: str) -> str | None:
    """Say why a medium cannot be the image, or None if it can."""
    kind = (medium.type or "").rsplit("/", 1)[-1].lower()
    form = (medium.format or "").lower()
    if medium.identifier is None:
        if ".dzi" in (medium.references or "").lower():
            return "only deep-zoom tiles (.dzi), no file"
        return "only a page about it (references), no address of a file" if medium.references else "no address"
    if urlsplit(medium.identifier).scheme.lower() not in ("http", "https"):
        return "no web address"
    if form == "dzi" or medium.identifier.lower().split("?")[-1].endswith(".dzi"):
        return "deep-zoom tiles (.dzi), no file"
    if "/image/cache/" in medium.identifier and urlsplit(medium.identifier).hostname == "api.gbif.org":
        return "GBIF's image cache, which is not for bulk"
    if is_manifest(medium.identifier, medium.format, medium.type):
        return None
    if kind and kind not in _STILL and not any(part.strip() in _STILL for part in kind.split(";")):
        return f"its type is {medium.type}"
    if form and not form.startswith(("image", "application/octet", "jp", "png", "tif")):
        return f"its format is {medium.format}"
    # A description is prose ("sheet with label and barcode"): there only a clear phrase counts.
    names, prose = _names(medium), _plain(medium.description)
    if _LABEL.search(names) or _OF_LABEL.search(prose):
        return "a photo of the label"
    if domain == "specimen" and (_LIVING.search(names) or _OF_LIVING.search(prose)):
        return "a photo of the living plant"
    return None


def _judge(medium: Medium) -> _Judged:
    """Rank a usable medium; smaller is better."""
    address = str(medium.identifier)
    words = f"{_names(medium)} {_plain(medium.description)}"
    detail, small, large = (bool(pattern.search(words)) for pattern in (_DETAIL, _SMALL, _LARGE))
    service = service_of(address)
    if is_manifest(address, medium.format, medium.type):
        url, scalable = MANIFEST + address, True
    elif service:
        url, scalable, small = SERVICE + service, True, False
    else:
        url, scalable = address, False
    pixels = (medium.width or 0) * (medium.height or 0)
    remark = "a detail" if detail else "a thumbnail" if small else "smaller or not better"
    # A manifest costs one more request than the service behind it; then the shortest address: 0063.jpg, not 0063-1.jpg.
    rank = (detail, not scalable, small, url.startswith(MANIFEST), -pixels, not large, len(address))
    return _Judged(medium, url, tuple(int(one) for one in rank), remark)


def _why(other: _Judged, best: _Judged) -> str:
    if best.url.startswith((MANIFEST, SERVICE)) and not other.url.startswith((MANIFEST, SERVICE)):
        return other.remark if other.remark != "smaller or not better" else "its IIIF service is taken instead"
    if other.url.startswith(MANIFEST):
        return "a manifest; the image service itself is taken"
    return other.remark if other.remark != "smaller or not better" else "another image of the record is taken"


def _same_view(best: _Judged, other: _Judged) -> bool:
    """Whether the other medium shows the same: a manifest beside its JPEG, a thumbnail beside its original."""
    if best.rank[0] != other.rank[0]:
        return False
    if best.url.startswith((MANIFEST, SERVICE)) or other.url.startswith((MANIFEST, SERVICE)):
        return True
    return bool(_stem(best) and _stem(best) == _stem(other))


def _stem(one: _Judged) -> str:
    name = unquote(urlsplit(str(one.medium.identifier)).path).rsplit("/", 1)[-1].lower()
    return re.sub(r"[_-]?(tn|thumb|lg|large|small|full|original)?\.[a-z0-9]{3,4}$", "", name)


def _names(medium: Medium) -> str:
    """Title and address of a medium as plain words."""
    parts = urlsplit(medium.identifier or "")
    return " ".join(_plain(text) for text in (medium.title, unquote(parts.path), unquote(parts.query)))


def _plain(text: str | None) -> str:
    return " ".join(re.split(r"[\W_\d]+", text or "")).lower()
