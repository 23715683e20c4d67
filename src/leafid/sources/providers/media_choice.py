"""Choose the medium of a record that shows the sheet, and give a reason for every other.

A record may have label photos, details, photos of the living plant, an IIIF manifest and a JPEG of the same image,
deep-zoom tiles, thumbnails and originals. Often only words in titles, descriptions and addresses distinguish them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from leafid.sources.fetching.addresses import host_of, is_web_address
from leafid.sources.fetching.iiif import MANIFEST_PREFIX, SERVICE_PREFIX, image_service_of, is_manifest
from leafid.sources.providers.occurrences import Medium

_IMAGE_WORDS = re.compile(
    r"still ?images?|images?|2d ?image|photos?|photographs?|picture|scan|imagen(es)?( fija)?|imagem( estática)?"
    r"|imágenes|image fixe|fotos?|fotografías?|fotografia|photographie|immagini|immagine|bild(er)?|standbild|afbeelding"
    r"|jpe?g|jpg|jfif|png|tiff?|gif|bmp|webp|heic|heif|avif|jp2|jpx|jpeg2000"
)
"""A type or format, in lower case, that means an image: DCMI types in several languages, MIME types and extensions."""
_OTHER_WORDS = re.compile(
    r"moving ?image|video|movie|audio|sound|text|html?|pdf|interactive ?resource|dataset|model|3d|event|software"
    r"|service|physical ?object|collection|mp[34]|mpeg|wav|zip|csv|xml|svg(\+xml)?"
)
"""A type or format, in lower case, that means something else."""
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
class MediumChoice:
    """The chosen medium, if any, its addresses in the order to try, and (medium, reason) of the others."""

    chosen: Medium | None
    urls: tuple[str, ...]
    excluded: tuple[tuple[Medium, str], ...]


@dataclass(frozen=True, slots=True)
class _RankedMedium:
    medium: Medium
    url: str
    rank: tuple[int, ...]
    reason: str


def choose_medium(media: Sequence[Medium], *, domain: str) -> MediumChoice:
    """Choose the medium that shows the whole sheet best.

    IIIF is preferred, since the client can choose the size; plain images follow, originals before thumbnails. Other
    media of the record that show the same view are fallbacks. Label photos are never chosen, and photos of the living
    plant only in the domain ``field``.
    """
    excluded: list[tuple[Medium, str]] = []
    ranked: list[_RankedMedium] = []
    known: set[str] = set()
    for medium in media:
        reason = _reason_unusable(medium, domain)
        if reason is None and medium.identifier in known:
            reason = "the same address as another medium of the record"
        if reason is not None:
            excluded.append((medium, reason))
            continue
        known.add(str(medium.identifier))
        ranked.append(_rank_medium(medium))
    ranked.sort(key=lambda one: one.rank)
    if not ranked:
        return MediumChoice(None, (), tuple(excluded))
    best = ranked[0]
    same = [one for one in ranked[1:] if one.medium.licence.name == best.medium.licence.name and _same_view(best, one)]
    urls = [best.url, *best.medium.fallbacks]
    for other in ranked[1:]:
        suffix = "; tried if the chosen one fails" if other in same else ""
        excluded.append((other.medium, _reason_not_chosen(other, best) + suffix))
    urls += [url for one in same for url in (one.url, *one.medium.fallbacks)]
    if best.url.startswith(SERVICE_PREFIX):
        urls.append(str(best.medium.identifier))
    return MediumChoice(best.medium, tuple(dict.fromkeys(urls)), tuple(excluded))


def _reason_unusable(medium: Medium, domain: str) -> str | None:
    """Return why a medium cannot be the image, or None if it can."""
    form = (medium.format or "").lower()
    if medium.identifier is None:
        if ".dzi" in (medium.references or "").lower():
            return "only deep-zoom tiles (.dzi), no file"
        return "only a page about it (references), no address of a file" if medium.references else "no address"
    if not is_web_address(medium.identifier):
        return "not a web address"
    if form == "dzi" or medium.identifier.lower().split("?")[-1].endswith(".dzi"):
        return "deep-zoom tiles (.dzi), no file"
    if "/image/cache/" in medium.identifier and host_of(medium.identifier) == "api.gbif.org":
        return "GBIF's image cache, which is not for bulk"
    if is_manifest(medium.identifier, medium.format, medium.type):
        return None
    other = _reason_not_an_image(medium)
    if other is not None:
        return other
    # A description is prose ("sheet with label and barcode"), in which only a full phrase is evidence.
    title, prose = _title_and_address(medium), _words(medium.description)
    if _LABEL.search(title) or _OF_LABEL.search(prose):
        return "a photo of the label"
    if domain == "specimen" and (_LIVING.search(title) or _OF_LIVING.search(prose)):
        return "a photo of the living plant"
    return None


def _reason_not_an_image(medium: Medium) -> str | None:
    """Return why type and format do not mean an image, or None.

    Publishers swap the two and use words of their own, so each is read as either. A word that is known as something
    else decides; without a known word, the address must have the extension of an image.
    """
    statements = {"type": medium.type, "format": medium.format}
    meanings = {name: _meaning(text) for name, text in statements.items() if text and text.strip()}
    for name, meaning in meanings.items():
        if meaning == "other":
            return f"its {name} is {statements[name]}"
    if "image" in meanings.values():
        return None
    unknown = {name: statements[name] for name, meaning in meanings.items() if meaning is None}
    path = (medium.identifier or "").split("?", 1)[0].lower()
    if not unknown or _IMAGE_WORDS.fullmatch(path.rsplit(".", 1)[-1]):
        return None
    return "; ".join(f"its {name} is {text}" for name, text in unknown.items())


def _meaning(text: str) -> str | None:
    """Return what a type or format means: ``image``, ``other``, ``file`` (any), or None if no word is known."""
    words = re.sub(r"[_\s]+", " ", text.strip().lower().lstrip("."))
    parts = [part.strip() for part in re.split(r"[/;,|]|\bdcmitype:|#", words) if part.strip()]
    if any(_OTHER_WORDS.fullmatch(part) for part in parts):
        return "other"
    if any(_IMAGE_WORDS.fullmatch(part) for part in parts):
        return "image"
    return "file" if "octet-stream" in parts else None


def _rank_medium(medium: Medium) -> _RankedMedium:
    """Rank a usable medium; a smaller rank is better."""
    address = str(medium.identifier)
    words = f"{_title_and_address(medium)} {_words(medium.description)}"
    detail, small, large = (bool(pattern.search(words)) for pattern in (_DETAIL, _SMALL, _LARGE))
    service = image_service_of(address)
    if is_manifest(address, medium.format, medium.type):
        url, scalable = MANIFEST_PREFIX + address, True
    elif service:
        url, scalable, small = SERVICE_PREFIX + service, True, False
    else:
        url, scalable = address, False
    pixels = (medium.width or 0) * (medium.height or 0)
    reason = "a detail" if detail else "a thumbnail" if small else "smaller or not better"
    # A manifest needs one more request than its image service. The shortest address decides last: 0063.jpg is the
    # sheet, 0063-1.jpg another view.
    rank = (detail, not scalable, small, url.startswith(MANIFEST_PREFIX), -pixels, not large, len(address))
    return _RankedMedium(medium, url, tuple(int(one) for one in rank), reason)


def _reason_not_chosen(other: _RankedMedium, best: _RankedMedium) -> str:
    if best.url.startswith((MANIFEST_PREFIX, SERVICE_PREFIX)) and not other.url.startswith(
        (MANIFEST_PREFIX, SERVICE_PREFIX)
    ):
        return other.reason if other.reason != "smaller or not better" else "its IIIF service is taken instead"
    if other.url.startswith(MANIFEST_PREFIX):
        return "a manifest; the image service itself is taken"
    return other.reason if other.reason != "smaller or not better" else "another image of the record is taken"


def _same_view(best: _RankedMedium, other: _RankedMedium) -> bool:
    """Whether the other medium shows the same view, as a manifest and its JPEG or a thumbnail and its original do."""
    if best.rank[0] != other.rank[0]:
        return False
    if best.url.startswith((MANIFEST_PREFIX, SERVICE_PREFIX)) or other.url.startswith(
        (MANIFEST_PREFIX, SERVICE_PREFIX)
    ):
        return True
    return bool(_stem(best) and _stem(best) == _stem(other))


def _stem(one: _RankedMedium) -> str:
    name = unquote(str(one.medium.identifier).split("?", 1)[0]).rsplit("/", 1)[-1].lower()
    return re.sub(r"[_-]?(tn|thumb|lg|large|small|full|original)?\.[a-z0-9]{3,4}$", "", name)


def _title_and_address(medium: Medium) -> str:
    """Return the words of a medium's title and address in lower case."""
    try:
        parts = urlsplit(medium.identifier or "")
    except ValueError:  # an address that is not valid is a failure when it is asked for
        return _words(medium.title)
    return " ".join(_words(text) for text in (medium.title, unquote(parts.path), unquote(parts.query)))


def _words(text: str | None) -> str:
    return " ".join(re.split(r"[\W_\d]+", text or "")).lower()
