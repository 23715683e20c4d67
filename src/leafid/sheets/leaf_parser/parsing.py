"""The leaf parser: leaves of a picture of any kind, each with mask, ends, midrib, secondary veins and their number."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leafid.sheets.leaf_parser.choosing import SeenLeaf, alone, joined
from leafid.sheets.leaf_parser.counting import counted, expected_number
from leafid.sheets.leaf_parser.engines import EngineName, Network, networks
from leafid.sheets.leaf_parser.graph import VIEW_HEIGHT, VIEW_WIDTH
from leafid.sheets.leaf_parser.leaf_view import LeafView, Prior, leaf_view
from leafid.sheets.leaf_parser.looking import Looker
from leafid.sheets.leaf_parser.outlines.lobes import with_outlines
from leafid.sheets.leaf_parser.outlines.silhouettes import Silhouette
from leafid.sheets.leaf_parser.outlines.tips import led_to_tip
from leafid.sheets.leaf_parser.overview import FoundLeaf, decode_overview, letterboxed, letterboxed_size
from leafid.sheets.leaf_parser.parsed_leaf import NotWhole, ParsedLeaf, Points, SecondaryCount
from leafid.sheets.leaf_parser.reading import Departure, Side, ViewReading
from leafid.sheets.leaf_parser.weights import FOLDER

Map = NDArray[np.float32]

MOST_LEAVES = 8
_SURE = 0.5  # probability from which a leaf is folded, overlapped, cut
_BLADE = 0.5
_ZOOMED = 0.7  # share of the picture's side below which the part with leaves is looked at once more
_AROUND = 0.15  # margin around that part, as a share of its side


@dataclass(frozen=True)
class ReadView:
    """What was read in the view of a leaf, its score, and its outline where the ground is plain."""

    reading: ViewReading
    view: LeafView
    score: float
    outline: Silhouette | None = None


def parse_leaves(
    rgb: NDArray[np.uint8],
    *,
    most: int = MOST_LEAVES,
    least_score: float = 0.3,
    engine: EngineName | None = None,
    folder: Path = FOLDER,
) -> tuple[ParsedLeaf, ...]:
    """Find the leaves of a picture and read each.

    Args:
        rgb: uint8 (H, W, 3); a leaf should be 400 pixels long or more for its veins to be read as well as they can be.
        most: leaves to read; those that cover most of the picture come first.
        least_score: leaves that are less sure are left out, 0 to 1.
        engine: what runs the networks; None for the fastest that is installed.
        folder: where the weights lie.

    Returns:
        The leaves, the largest first.

    Raises:
        ValueError: the array is not of this type.
        WeightsError, InstallationError: see `networks`.
    """
    views = read_views(rgb, most=most, least_score=least_score, engine=engine, folder=folder)
    leaves = (_in_pixels(view, rgb.shape[:2]) for view in views)
    return tuple(leaf for leaf in leaves if leaf is not None)


def read_views(
    rgb: NDArray[np.uint8],
    *,
    most: int = MOST_LEAVES,
    least_score: float = 0.3,
    engine: EngineName | None = None,
    folder: Path = FOLDER,
) -> list[ReadView]:
    """Find and read leaves as `parse_leaves` does; return what was read in each leaf's view."""
    _check(rgb)
    overview, network = networks(engine, folder)
    found, (left, top, right, bottom) = _overview(rgb, overview)
    part = rgb[top:bottom, left:right]
    _, factor = letterboxed_size(part.shape)
    kept = sorted((leaf for leaf in found if leaf.score >= least_score), key=lambda leaf: -float(leaf.cells.sum()))
    looker = Looker(part, network)
    seen = [looker.leaf(leaf, factor) for leaf in kept[:most]]

    def look(leaf: FoundLeaf) -> SeenLeaf:
        return looker.leaf(leaf, factor, axes=False)

    seen = with_outlines(alone(joined(seen, look)), part, factor, look)
    return [
        ReadView(
            looker.read(one.look),
            one.look.view.shifted(left, top),
            one.leaf.score,
            None if one.outline is None else one.outline.shifted(left, top),
        )
        for one in seen
    ]


def _overview(rgb: NDArray[np.uint8], network: Network) -> tuple[list[FoundLeaf], tuple[int, int, int, int]]:
    """Find leaves; where they fill only a part of the picture, once more in that part, which is also returned."""
    height, width = rgb.shape[:2]
    square, factor = letterboxed(rgb)
    maps = network(_normalised(square)[None])["maps"]
    found = decode_overview(maps)
    rows, columns = np.nonzero(maps[0] > 0)
    if not len(rows):
        return found, (0, 0, width, height)
    low = np.array([columns.min(), rows.min()]) * 4 / factor
    high = np.array([columns.max() + 1, rows.max() + 1]) * 4 / factor
    margin = _AROUND * float((high - low).max())
    left, top = np.clip(np.floor(low - margin), 0, None).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(high + margin), [width, height]).astype(int).tolist()
    if max(right - left, bottom - top) > _ZOOMED * max(width, height):
        return found, (0, 0, width, height)
    square, _ = letterboxed(rgb[top:bottom, left:right])
    return decode_overview(network(_normalised(square)[None])["maps"]), (left, top, right, bottom)


def parse_leaf_between(
    rgb: NDArray[np.uint8], base: Points, apex: Points, *, engine: EngineName | None = None, folder: Path = FOLDER
) -> ParsedLeaf | None:
    """Read the one leaf whose base and apex are given by hand; None where no blade is seen between them.

    Args:
        rgb: uint8 (H, W, 3).
        base: [2] column and row where petiole and blade meet.
        apex: [2] tip of the blade.
        engine: as in `parse_leaves`.
        folder: as in `parse_leaves`.

    Raises:
        ValueError: the array is not of this type, or both points are one.
    """
    _check(rgb)
    base, apex = np.asarray(base, np.float64), np.asarray(apex, np.float64)
    if float(np.hypot(*(base - apex))) < 8:
        raise ValueError(f"base {base.tolist()} and apex {apex.tolist()} must be at least 8 pixels apart")
    _, network = networks(engine, folder)
    empty = Prior(np.zeros((1, 1), np.float32), 1.0)
    looker = Looker(rgb, network)
    first = looker.at(leaf_view(base, apex, None), empty)
    rows, columns = np.nonzero(first.blade >= _BLADE)
    blade = np.asarray((np.stack([columns, rows], axis=1) + 0.5) * 2, np.float64)
    # The second look has the width that the first one found.
    look = looker.between(base, apex, first.view.to_picture(blade), empty, turn=False)
    return _in_pixels(ReadView(looker.read(look), look.view, 1.0), rgb.shape[:2])


def _check(rgb: NDArray[np.uint8]) -> None:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"rgb must be uint8 (H, W, 3), but is {rgb.dtype} {rgb.shape}")


def _normalised(image: NDArray[np.uint8]) -> Map:
    return np.ascontiguousarray(np.moveaxis(image, 2, 0), np.float32) / 127.5 - 1


def _in_pixels(seen: ReadView, shape: tuple[int, ...]) -> ParsedLeaf | None:
    reading, view = seen.reading, seen.view
    midrib = view.to_picture(reading.midrib)
    if seen.outline is None:
        mask, (left, top) = _mask_in_pixels(reading, view, shape)
    else:
        mask, (left, top) = seen.outline.in_picture(shape)
        midrib = seen.outline.to_picture(led_to_tip(seen.outline.to_mask(midrib), seen.outline.mask))
    if not mask.size:
        return None
    sides = [_counted_side(reading, side) for side in (reading.left, reading.right)]
    base, apex = midrib[0], midrib[-1]
    return ParsedLeaf(
        box=(left, top, left + mask.shape[1], top + mask.shape[0]),
        mask=np.ascontiguousarray(mask),
        base=base,
        apex=apex,
        midrib=midrib,
        petiole=None if reading.petiole is None else view.to_picture(reading.petiole),
        left=tuple(view.to_picture(departure.course) for departure in sides[0][0]),
        right=tuple(view.to_picture(departure.course) for departure in sides[1][0]),
        count_left=sides[0][1],
        count_right=sides[1][1],
        veins_visible=reading.facts["veins_visible"],
        reasons=_reasons(reading, np.stack([base, apex]), shape),
        face="abaxial" if reading.facts["abaxial"] > _SURE else "adaxial",
        score=seen.score,
    )


def _mask_in_pixels(
    reading: ViewReading, view: LeafView, shape: tuple[int, ...]
) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """The blade that was read, cut to its box, and the left upper corner of that; empty outside the picture."""
    corners = view.to_picture(
        np.array([[0, 0], [VIEW_WIDTH, 0], [0, VIEW_HEIGHT], [VIEW_WIDTH, VIEW_HEIGHT]], np.float64)
    )
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, None)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int), [shape[1], shape[0]])
    if (high <= low).any():
        return np.zeros((0, 0), np.bool_), (0, 0)
    mask = view.paste(reading.blade, (int(low[0]), int(low[1]), int(high[0]), int(high[1]))) >= _BLADE
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.zeros((0, 0), np.bool_), (0, 0)
    mask = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return mask, (int(low[0] + columns[0]), int(low[1] + rows[0]))


def _counted_side(reading: ViewReading, side: Side) -> tuple[tuple[Departure, ...], SecondaryCount]:
    departures = counted(side)
    length = max(float(reading.base[1] - reading.apex[1]), 1.0)
    low, high = (float(np.clip((reading.base[1] - row) / length, 0, 1)) for row in side.seen)
    return departures, SecondaryCount(len(departures), *expected_number(side), (low, high))


def _reasons(reading: ViewReading, ends: Points, shape: tuple[int, ...]) -> tuple[NotWhole, ...]:
    margin = 0.02 * float(np.hypot(*(ends[0] - ends[1])))
    outside = bool((ends < -margin).any() or (ends > np.array([shape[1], shape[0]]) + margin).any())
    facts = reading.facts
    cut = outside or facts["cut"] > _SURE
    reasons = {
        NotWhole.CUT_BY_FRAME: cut,
        NotWhole.OVERLAPPED: facts["overlapped"] > _SURE,
        NotWhole.FOLDED: facts["folded"] > _SURE,
    }
    return tuple(reason for reason, holds in reasons.items() if holds)
