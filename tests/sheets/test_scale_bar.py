"""Printed scale bars with ticks and colour patches give the scale; anything that lacks a sign of them gives none."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from leafid.sheets import find_scale, find_scale_bar

PATCHES = [(235, 90, 40), (40, 70, 170), (240, 215, 40), (200, 40, 60), (40, 140, 80)]


def card(
    label: str, parts: int, bar: int, *, middle: str = "", patches: bool = True, at: tuple[int, int] = (260, 560)
) -> NDArray[np.uint8]:
    """Draw a black photo with a card whose bar is `bar` pixels long."""
    image = Image.new("RGB", (600, 760), (4, 4, 4))
    draw = ImageDraw.Draw(image)
    x, y = at
    draw.rectangle((x - 0.25 * bar, y - 0.15 * bar, x + 1.7 * bar, y + 0.75 * bar), (38, 36, 38))
    thick = max(2, round(0.02 * bar))
    draw.rectangle((x, y, x + bar - 1, y + thick - 1), (240, 240, 240))
    for part in range(parts + 1):
        left = round(x + part / parts * (bar - thick))
        long = part in (0, parts) or (parts == 10 and part == 5)
        draw.rectangle((left, y, left + thick - 1, y + (0.11 if long else 0.07) * bar), (240, 240, 240))
    font = ImageFont.load_default(round(0.26 * bar))
    draw.text((x - 0.07 * bar, y + 0.1 * bar), "0", (240, 240, 240), font)
    number, unit = label[:-2], label[-2:]
    edge = x + bar + 0.07 * bar
    draw.text((edge - font.getlength(number), y + 0.1 * bar), number, (240, 240, 240), font)
    for letter in unit:
        draw.text((edge + 0.04 * bar, y + 0.1 * bar), letter, (240, 240, 240), font)
        edge += font.getlength(letter) + 0.02 * bar
    if middle:
        draw.text((x + bar / 2 - font.getlength(middle) / 2, y + 0.1 * bar), middle, (240, 240, 240), font)
    if patches:
        for index, colour in enumerate(PATCHES):
            side = x + index / len(PATCHES) * bar
            draw.rectangle((side, y + 0.45 * bar, side + bar / len(PATCHES) - 1, y + 0.6 * bar), colour)
    return np.asarray(image)


@pytest.mark.parametrize(
    ("label", "parts", "middle", "length_mm"),
    [("3cm", 3, "", 30), ("5cm", 5, "", 50), ("5mm", 5, "", 5), ("1cm", 10, "", 10), ("10cm", 10, "5", 100)],
)
@pytest.mark.parametrize("bar", [90, 133])
def test_the_bar_is_read(label: str, parts: int, middle: str, length_mm: float, bar: int) -> None:
    image = card(label, parts, bar, middle=middle)
    found = find_scale_bar(image)
    assert found is not None and found.length_mm == length_mm
    assert found.px_per_mm == pytest.approx(bar / length_mm, rel=0.02)
    assert find_scale(image) == pytest.approx(found.px_per_mm)
    start, end, row = found.line
    assert (start, end) == pytest.approx((260, 260 + bar), abs=1.5) and row == pytest.approx(561, abs=4)


def test_a_large_image_has_its_own_scale() -> None:
    image = card("3cm", 3, 120)
    large = np.asarray(Image.fromarray(image).resize((2400, 3040), Image.Resampling.BICUBIC))
    found = find_scale_bar(large)
    assert found is not None and found.px_per_mm == pytest.approx(16.0, rel=0.02)


def test_no_scale_is_claimed_without_all_signs() -> None:
    assert find_scale_bar(card("3cm", 3, 120, patches=False)) is None
    assert find_scale_bar(card("3cm", 7, 120)) is None
    assert find_scale_bar(card("5", 5, 120)) is None  # a number without its unit
    assert find_scale_bar(np.full((400, 300, 3), 225, np.uint8)) is None
    stripes = np.zeros((400, 300, 3), np.uint8)
    stripes[::40] = 255
    assert find_scale_bar(stripes) is None
