"""Define four invented herbaria, each with its own layout of a sheet.

The codes contain a digit, which no acronym of Index Herbariorum does, so they cannot be mistaken for real institutions.
"""

from dataclasses import dataclass
from typing import Literal

IMAGE_MM = (300.0, 440.0)
"""Width and height of the photographed area in mm."""

Corner = tuple[float, float]


@dataclass(frozen=True)
class Herbarium:
    """One invented herbarium; positions are upper left corners in mm from the upper left corner of the image."""

    code: str
    name: str
    license: str
    """May be empty, because it is often missing in real data."""
    backdrop: tuple[int, int, int]
    sheet: tuple[float, float, float, float]
    """Left, top, width and height of the paper in mm."""
    paper: tuple[int, int, int]
    ruler: Corner
    ruler_upright: bool
    chart: Corner
    chart_upright: bool
    label: Corner
    label_size: tuple[float, float]
    barcode: Corner
    stamp: Corner
    stamp_shape: Literal["round", "lozenge", "box"]
    stamp_ink: tuple[int, int, int]
    pocket: Corner | None
    """A paper pocket for fragments."""


HERBARIA: tuple[Herbarium, ...] = (
    Herbarium(
        code="DRAWN1",
        name="First Invented Herbarium",
        license="CC0-1.0",
        backdrop=(24, 24, 27),
        sheet=(10, 28, 280, 404),
        paper=(240, 240, 230),
        ruler=(30, 6),
        ruler_upright=False,
        chart=(205, 5),
        chart_upright=False,
        label=(172, 352),
        label_size=(108, 70),
        barcode=(60, 414),
        stamp=(128, 36),
        stamp_shape="round",
        stamp_ink=(60, 60, 70),
        pocket=(208, 36),
    ),
    Herbarium(
        code="DRAWN2",
        name="Second Invented Herbarium",
        license="CC-BY-4.0",
        backdrop=(250, 250, 249),
        sheet=(4, 6, 266, 426),
        paper=(229, 208, 170),
        ruler=(275, 20),
        ruler_upright=True,
        chart=(276, 190),
        chart_upright=True,
        label=(12, 362),
        label_size=(100, 62),
        barcode=(205, 404),
        stamp=(196, 370),
        stamp_shape="box",
        stamp_ink=(60, 60, 140),
        pocket=None,
    ),
    Herbarium(
        code="DRAWN3",
        name="Third Invented Herbarium",
        license="CC-BY-NC-4.0",
        backdrop=(128, 128, 126),
        sheet=(12, 8, 276, 404),
        paper=(236, 228, 208),
        ruler=(20, 420),
        ruler_upright=False,
        chart=(200, 419),
        chart_upright=False,
        label=(178, 14),
        label_size=(104, 64),
        barcode=(24, 16),
        stamp=(22, 372),
        stamp_shape="lozenge",
        stamp_ink=(90, 110, 190),
        pocket=None,
    ),
    Herbarium(
        code="DRAWN4",
        name="Fourth Invented Herbarium",
        license="",
        backdrop=(196, 164, 118),
        sheet=(28, 8, 266, 424),
        paper=(247, 245, 240),
        ruler=(6, 150),
        ruler_upright=True,
        chart=(5, 20),
        chart_upright=True,
        label=(184, 358),
        label_size=(104, 66),
        barcode=(196, 338),
        stamp=(36, 390),
        stamp_shape="round",
        stamp_ink=(150, 60, 60),
        pocket=(36, 300),
    ),
)
