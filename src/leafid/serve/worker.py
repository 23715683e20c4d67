"""What a worker process does: it holds the bundle and answers for the photos of one request at a time.

A photo that crashes its decoder, takes too much memory or never ends costs this process, which the pool replaces.
"""

import io
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leafid.identify import Identifier, IdentifyOptions, Plant, Record, clearly_shown
from leafid.images import guard_image
from leafid.installation import require_torch

if TYPE_CHECKING:
    from leafid.characters import LeafEnds
    from leafid.trust import HeatOverlays

HEAT_MAP_SIDE = 600
"""Longer side of a heat map in pixels; its squares are larger than a tenth of that."""
DRAWING_SIDE = 900
"""Longer side of a leaf's drawing in pixels: its veins stay distinct on a large screen."""
_JPEG_QUALITY = 85


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker needs to know: the bundle, device and engine to load, and its limits."""

    bundle: Path
    device: str
    engine: str
    references: int
    max_bytes: int


@dataclass(frozen=True)
class Photo:
    """An uploaded photo: where it is stored, and what its owner calls it."""

    path: Path
    name: str


@dataclass(frozen=True)
class LeafMeasured:
    """One measured leaf, ready to be shown.

    Attributes:
        characters: value, uncertainty (None for terms) and quality by name.
        sentence: the characters compared with the ranges of the floras.
        not_measured: why the leaf or its veins were not measured, in words.
        base: (x, y) in pixels of the upright photo.
        apex: the same.
        box: left, top, right, bottom.
        shown: the characters that are visible clearly enough to exclude a taxon.
        drawing: JPEG of the leaf, apex up, with midrib and numbered veins.
    """

    characters: dict[str, dict[str, Any]]
    sentence: str | None
    not_measured: str | None
    base: tuple[float, float]
    apex: tuple[float, float]
    box: tuple[int, int, int, int]
    shown: tuple[str, ...]
    drawing: bytes


_identifier: Identifier | None = None
_bundle = Path()
_overlays: "HeatOverlays | None" = None


def start(settings: WorkerSettings) -> None:
    """Load the bundle; called once in each worker process."""
    global _identifier, _bundle
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the service, which ends its workers
    _identifier = Identifier.load(
        settings.bundle,
        device=settings.device,
        engine=settings.engine,  # type: ignore[arg-type] # checked when the service starts
        references=settings.references,
        cores=1,
    )
    _bundle = settings.bundle
    limit_memory(settings.max_bytes)


def ready() -> str:
    """Return the engine's name; answered once the bundle is loaded."""
    return _loaded().engine_name


def identify(
    photos: Sequence[Photo], *, top: int, characters: bool, taxa: Sequence[str] | None, ask: bool = False
) -> tuple[Record, list[Record]]:
    """Identify the photos of one plant.

    Args:
        photos: one or more.
        top: number of candidates.
        characters: whether the best leaf of each photo is measured.
        taxa: the names among which the answer lies; None: all of the bundle.
        ask: whether the records name the characters to look up on the plant.

    Returns:
        The record of the plant, and those of its photos. Their paths are the photos' names.

    Raises:
        LeafidError: ``taxa`` has a name that the bundle does not know.
    """
    identifier = _loaded()
    paths, names = [photo.path for photo in photos], {str(photo.path): photo.name for photo in photos}
    options: IdentifyOptions = {"top": top, "characters": characters, "taxa": taxa, "ask": ask, "workers": 1}
    if len(photos) == 1:
        records = list(identifier.identify(paths, **options))
        return _named(records[0], names), [_named(records[0], names)]
    plant = Plant(photos[0].name, tuple(paths))
    first, *others = (
        _named(record, names) for record in identifier.identify_plants([plant], photos_too=True, **options)
    )
    return first, others


def _named(record: Record, names: dict[str, str]) -> Record:
    """Return a record that calls photos by their owner's names, not by the files in which they are stored."""
    photos = tuple(replace(photo, path=names[photo.path]) for photo in record.photos)
    caution = record.caution
    for path, name in names.items():
        caution = caution and caution.replace(Path(path).name, name)
    return replace(record, path=names[record.path], photos=photos, caution=caution)


def measure(photo: Photo, *, ends: "LeafEnds | None", leaves: int) -> list[LeafMeasured]:
    """Measure the leaves of a photo, best first.

    Args:
        photo: the photo.
        ends: base and apex set by hand; None: leaves are looked for.
        leaves: most leaves to measure.

    Raises:
        ImageError: the photo cannot be read.
    """
    from leafid.characters import compare, describe_fit, draw_leaf_lines, flora_ranges, measure_file

    measured = measure_file(photo.path, leaves=leaves, ends=ends)
    taxa = set(_loaded().info.taxonomy.names)
    ranges = [taxon for taxon in flora_ranges() if taxon.taxon in taxa]
    shown = []
    with guard_image(photo.path):
        for leaf in measured.leaves:
            reason = leaf.not_measured or leaf.no_veins
            present = dict(leaf.characters.present())
            drawing = io.BytesIO()
            draw_leaf_lines(leaf.pixels, leaf.lines, longest=DRAWING_SIDE).save(drawing, "JPEG", quality=_JPEG_QUALITY)
            shown.append(
                LeafMeasured(
                    characters={
                        name: {
                            "value": one.value,
                            "uncertainty": getattr(one, "uncertainty", None),
                            "quality": one.quality,
                        }
                        for name, one in present.items()
                    },
                    sentence=describe_fit(leaf.characters, compare(leaf.characters, ranges)) if present else None,
                    not_measured=None if reason is None else reason.words,
                    base=leaf.ends.base,
                    apex=leaf.ends.apex,
                    box=leaf.box,
                    shown=tuple(sorted(clearly_shown(leaf.characters))),
                    drawing=drawing.getvalue(),
                )
            )
    return shown


def heat_maps(photo: Photo, names: tuple[str, str]) -> list[bytes]:
    """Return JPEGs of a photo with the evidence for two taxa laid over it.

    Raises:
        ImageError: the photo cannot be read.
        InstallationError: torch is not installed, which heat maps need.
    """
    global _overlays
    require_torch()
    if _overlays is None:
        from leafid.trust import HeatOverlays

        _overlays = HeatOverlays.of_bundle(_bundle, device="cpu")
    drawn = []
    for picture in _overlays.draw(photo.path, names, longest=HEAT_MAP_SIDE):
        content = io.BytesIO()
        picture.save(content, "JPEG", quality=_JPEG_QUALITY)
        drawn.append(content.getvalue())
    return drawn


def limit_memory(further: int) -> None:
    """Let this process take so many bytes more than now, on Linux; an image that needs more is refused as too large."""
    if sys.platform != "linux":
        return
    import resource

    with open("/proc/self/status", encoding="ascii") as status:
        data = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = data + further
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _loaded() -> Identifier:
    assert _identifier is not None, "start() has not been called"
    return _identifier
