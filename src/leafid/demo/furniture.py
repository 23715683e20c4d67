"""Draw the objects on a sheet besides the plant: ruler, colour chart, label, barcode, stamp, pocket."""

from enum import IntEnum
from functools import cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from leafid.demo.herbaria import Herbarium
from leafid.demo.leaf import Image8


class Furniture(IntEnum):
    """Classes of objects on a sheet: the values of a furniture mask, in which 0 is none of these."""

    LABEL = 1
    RULER = 2
    COLOUR_CHART = 3
    STAMP = 4
    BARCODE = 5
    STRAP = 6
    POCKET = 7


_CHART = (
    (115, 82, 68), (194, 150, 130), (98, 122, 157), (87, 108, 67), (133, 128, 177), (103, 189, 170),
    (214, 126, 44), (80, 91, 166), (193, 90, 99), (94, 60, 108), (157, 188, 64), (224, 163, 46),
    (56, 61, 150), (70, 148, 73), (175, 54, 60), (231, 199, 31), (187, 86, 149), (8, 133, 161),
    (243, 243, 242), (200, 200, 200), (160, 160, 160), (122, 122, 121), (85, 85, 85), (52, 52, 52),
)  # fmt: skip


@cache
def _font(height_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(height_px)


class Desk:
    """Image and object mask of a sheet while objects are drawn on it. Positions in mm."""

    def __init__(self, image: Image8, px_per_mm: float) -> None:
        self.image = image
        self.mask: Image8 = np.zeros(image.shape[:2], np.uint8)
        self.px_per_mm = px_per_mm

    def px(self, millimetres: float) -> int:
        """Convert a length to whole pixels."""
        return round(millimetres * self.px_per_mm)

    def place(self, card: Image.Image, left: float, top: float, kind: Furniture) -> None:
        """Paste an opaque card on the sheet; parts outside the image are cut off."""
        x, y = max(self.px(left), 0), max(self.px(top), 0)
        pixels = np.asarray(card.convert("RGB"))[: self.image.shape[0] - y, : self.image.shape[1] - x]
        height, width = pixels.shape[:2]
        self.image[y : y + height, x : x + width] = pixels
        self.mask[y : y + height, x : x + width] = kind

    def text(self, draw: ImageDraw.ImageDraw, x: float, y: float, text: str, size: float, ink: str = "#222222") -> None:
        """Write on a card; x, y (upper left corner) and size in mm. Letters below 3 px become a grey bar."""
        size_px = self.px(size)
        if size_px >= 3:
            draw.text((self.px(x), self.px(y)), text, fill=ink, font=_font(size_px))
        else:
            draw.rectangle((self.px(x), self.px(y), self.px(x + 0.5 * size * len(text)), self.px(y)), fill="#888888")

    def card(
        self, width: float, height: float, colour: tuple[int, int, int]
    ) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        """Return an empty card of a size in mm, and the object that draws on it."""
        card = Image.new("RGB", (max(self.px(width), 1), max(self.px(height), 1)), colour)
        return card, ImageDraw.Draw(card)


def lay_ruler(desk: Desk, herbarium: Herbarium, rng: np.random.Generator) -> None:
    """Draw a ruler of 12 cm with millimetre divisions."""
    card, draw = desk.card(132, 16, (32, 32, 34) if herbarium.backdrop[0] > 100 else (225, 225, 222))
    ink = "#eeeeee" if herbarium.backdrop[0] > 100 else "#111111"
    for mm in range(121):
        x = desk.px(6 + mm)
        tick = 7.0 if mm % 10 == 0 else 4.5 if mm % 5 == 0 else 3.0
        if desk.px_per_mm >= 2 or mm % 5 == 0:
            draw.line((x, 0, x, desk.px(tick)), fill=ink, width=max(desk.px(0.25), 1))
        if mm % 10 == 0 and mm < 120:
            desk.text(draw, 6 + mm - 1.2, 7.2, str(mm // 10), 3.4, ink)
    desk.text(draw, 6, 11.5, f"cm    {herbarium.name}", 3.0, ink)
    if herbarium.ruler_upright:
        card = card.transpose(Image.Transpose.ROTATE_270)
    left, top = herbarium.ruler
    desk.place(card, left + rng.normal(0, 1), top + rng.normal(0, 1.5), Furniture.RULER)


def lay_colour_chart(desk: Desk, herbarium: Herbarium, rng: np.random.Generator) -> None:
    """Draw a colour chart of 24 patches in two rows."""
    patch = 6.5
    card, draw = desk.card(12 * patch + 2, 2 * patch + 2, (20, 20, 20))
    for i, colour in enumerate(_CHART):
        x, y = 1 + (i % 12) * patch, 1 + (i // 12) * patch
        draw.rectangle((desk.px(x + 0.3), desk.px(y + 0.3), desk.px(x + patch - 0.3), desk.px(y + patch - 0.3)), colour)
    if herbarium.chart_upright:
        card = card.transpose(Image.Transpose.ROTATE_270)
    left, top = herbarium.chart
    desk.place(card, left + rng.normal(0, 1), top + rng.normal(0, 1), Furniture.COLOUR_CHART)


def lay_label(
    desk: Desk, herbarium: Herbarium, corner: tuple[float, float], lines: list[str], rng: np.random.Generator
) -> None:
    """Draw a printed label: the herbarium's name, then `lines`; the first line is the plant's name."""
    width, height = herbarium.label_size
    tone = int(rng.integers(225, 250))
    card, draw = desk.card(width, height, (tone, tone - 3, tone - 10))
    draw.rectangle((desk.px(1.5), desk.px(1.5), desk.px(width - 1.5), desk.px(height - 1.5)), outline="#777777")
    desk.text(draw, 6, 4, herbarium.name.upper(), 4.6)
    draw.line((desk.px(6), desk.px(11.5), desk.px(width - 6), desk.px(11.5)), fill="#555555")
    for i, line in enumerate(lines):
        desk.text(draw, 6, 15 + 8.2 * i + (2 if i else 0), line, 5.0 if i == 0 else 3.9)
    desk.text(draw, 6, height - 7, "drawn by a program: no real specimen", 2.9, "#666666")
    desk.place(card, *corner, Furniture.LABEL)


def lay_barcode(desk: Desk, herbarium: Herbarium, catalog_number: str, rng: np.random.Generator) -> None:
    """Draw a barcode with the catalogue number."""
    card, draw = desk.card(52, 15, (250, 250, 250))
    x = 4.0
    while x < 47:
        bar = float(rng.choice([0.3, 0.6, 0.9]))
        draw.rectangle((desk.px(x), desk.px(1.5), max(desk.px(x + bar) - 1, desk.px(x)), desk.px(9.5)), fill="#111111")
        x += bar + float(rng.choice([0.35, 0.7]))
    desk.text(draw, 12, 10.2, catalog_number, 3.6)
    left, top = herbarium.barcode
    desk.place(card, left + rng.normal(0, 3), top + rng.normal(0, 1.5), Furniture.BARCODE)


def lay_pocket(desk: Desk, herbarium: Herbarium, rng: np.random.Generator) -> None:
    """Draw a paper pocket, if the herbarium uses them."""
    if herbarium.pocket is None or rng.random() < 0.3:
        return
    card, draw = desk.card(70, 48, (232, 228, 216))
    for y in (2, 40):
        draw.line((0, desk.px(y), desk.px(70), desk.px(y)), fill="#c8c2b0", width=max(desk.px(0.4), 1))
    draw.rectangle((0, 0, card.width - 1, card.height - 1), outline="#b5ae9a")
    left, top = herbarium.pocket
    desk.place(card, left + rng.normal(0, 2), top + rng.normal(0, 2), Furniture.POCKET)


def press_stamp(desk: Desk, herbarium: Herbarium, rng: np.random.Generator) -> None:
    """Draw an ink stamp, slightly rotated."""
    size = 30.0
    card, draw = desk.card(size, size, (0, 0, 0))
    side = card.width
    width = max(desk.px(0.7), 1)
    if herbarium.stamp_shape == "round":
        draw.ellipse((width, width, side - width, side - width), outline="white", width=width)
        draw.ellipse((0.2 * side, 0.2 * side, 0.8 * side, 0.8 * side), outline="white", width=width)
    elif herbarium.stamp_shape == "lozenge":
        half = side / 2
        draw.polygon(
            [(half, 0.1 * side), (side - 1, half), (half, 0.9 * side), (0, half)], outline="white", width=width
        )
    else:
        draw.rectangle((0, 0.28 * side, side - 1, 0.72 * side), outline="white", width=width)
    desk.text(draw, 6.5, 10.5, herbarium.code, 4.2, "white")
    desk.text(draw, 7.5, 15.5, "INVENTED", 3.2, "white")
    turned = card.convert("L").rotate(float(rng.normal(0, 12)), Image.Resampling.BILINEAR)
    ink = np.asarray(turned, dtype=np.float32) / 255 * rng.uniform(0.45, 0.8)
    x = desk.px(herbarium.stamp[0] + rng.normal(0, 3))
    y = desk.px(herbarium.stamp[1] + rng.normal(0, 3))
    area = desk.image[y : y + side, x : x + side]
    ink = ink[: area.shape[0], : area.shape[1], None]
    area[:] = (area * (1 - ink) + np.array(herbarium.stamp_ink, np.float32) * ink).astype(np.uint8)
    under = desk.mask[y : y + side, x : x + side]
    outline = cv2.dilate((ink[..., 0] > 0.15).astype(np.uint8), np.ones((3, 3), np.uint8))
    under[(outline > 0) & (under == 0)] = Furniture.STAMP
