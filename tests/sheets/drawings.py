"""Small drawn images whose truth is known exactly, for the tests of masks and crops."""

import cv2
import numpy as np
from numpy.typing import NDArray

PAPER = (236, 230, 214)
LEAF = (84, 92, 48)
BLACK = (20, 20, 20)


def blank_sheet(height: int = 1000, width: int = 700) -> NDArray[np.uint8]:
    """Paper with a little grain."""
    grain = np.random.default_rng(0).integers(-4, 5, (height, width, 1))
    return np.clip(np.array(PAPER) + grain, 0, 255).astype(np.uint8)


def leaf_outline(centre: tuple[float, float], length: float, width: float, points_to: float) -> NDArray[np.int32]:
    """Outline of a leaf with a long tip, widest in the lower half; `points_to` in degrees clockwise from the x axis."""
    t = np.linspace(0, 1, 60)
    half = width / 2 * np.sin(np.pi * t**0.75) ** 1.1
    along = np.concatenate([t, t[::-1]]) * length - length / 2
    across = np.concatenate([half, -half[::-1]])
    angle = np.radians(points_to)
    x = centre[0] + along * np.cos(angle) - across * np.sin(angle)
    y = centre[1] + along * np.sin(angle) + across * np.cos(angle)
    return np.round(np.stack([x, y], axis=1)).astype(np.int32)


def draw_leaf(
    image: NDArray[np.uint8],
    centre: tuple[float, float],
    length: float = 240,
    width: float = 100,
    points_to: float = -90,
    petiole: float = 0,
) -> NDArray[np.bool_]:
    """Draw a leaf with its petiole and return the mask of its blade."""
    outline = leaf_outline(centre, length, width, points_to)
    blade = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(blade, [outline], (1,))
    image[blade > 0] = LEAF
    if petiole:
        direction = np.array([np.cos(np.radians(points_to)), np.sin(np.radians(points_to))])
        start = np.array(centre) - direction * (length / 2 - 4)
        end = start - direction * petiole
        cv2.line(image, start.round().astype(int).tolist(), end.round().astype(int).tolist(), LEAF, 5)
    return np.asarray(blade > 0)


def draw_barcode(image: NDArray[np.uint8], x: int, y: int, width: int = 120, height: int = 40) -> None:
    """Draw black bars on white."""
    image[y : y + height, x : x + width] = 250
    widths = np.random.default_rng(1).integers(1, 4, 200)
    position = x + 6
    for index, bar in enumerate(widths):
        if position + bar > x + width - 6:
            break
        if index % 2 == 0:
            image[y + 4 : y + height - 4, position : position + bar] = BLACK
        position += int(bar)


def draw_ruler(image: NDArray[np.uint8], x: int, y: int, width: int = 40, height: int = 300) -> None:
    """Draw a black ruler with white ticks."""
    image[y : y + height, x : x + width] = BLACK
    for tick in range(y + 10, y + height - 10, 10):
        image[tick : tick + 2, x : x + width // 2] = 245


def draw_label(image: NDArray[np.uint8], x: int, y: int, lines: list[str], brown: bool = False) -> None:
    """Draw a label with printed lines."""
    height, width = 40 + 26 * len(lines), 260
    image[y : y + height, x : x + width] = (196, 168, 120) if brown else (250, 250, 248)
    for number, line in enumerate(lines):
        cv2.putText(image, line, (x + 12, y + 34 + 26 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.55, BLACK, 1, cv2.LINE_AA)


def draw_stamp(image: NDArray[np.uint8], x: int, y: int, radius: int = 38, thickness: int = 3) -> None:
    """Draw a round stamp in violet ink."""
    ink = (92, 70, 150)
    cv2.circle(image, (x, y), radius, ink, thickness, cv2.LINE_AA)
    cv2.circle(image, (x, y), radius - 10, ink, 2, cv2.LINE_AA)
    cv2.putText(image, "HB", (x - 20, y + 9), cv2.FONT_HERSHEY_SIMPLEX, 0.8, ink, 2, cv2.LINE_AA)


def draw_text(image: NDArray[np.uint8], x: int, y: int, lines: int) -> None:
    """Print lines straight onto the sheet."""
    for line in range(lines):
        text = "Planta ignota in silvis montanis, leg. Nemo"
        cv2.putText(image, text, (x, y + 22 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.6, BLACK, 2, cv2.LINE_AA)


def draw_ticks(image: NDArray[np.uint8], x: int, y: int) -> None:
    """Draw a white ruler: black ticks on a line."""
    image[y : y + 400, x : x + 3] = BLACK
    for tick in range(81):
        length = 26 if tick % 10 == 0 else 12
        image[y + 5 * tick : y + 5 * tick + 2, x : x + length] = BLACK


def draw_chart(image: NDArray[np.uint8], x: int, y: int, patch: int = 26) -> None:
    """Draw a colour chart of 4 x 6 patches on black."""
    image[y : y + 6 * (patch + 5) + 5, x : x + 4 * (patch + 5) + 5] = BLACK
    colours = np.random.default_rng(2).integers(30, 255, (24, 3))
    for number, colour in enumerate(colours):
        row, column = divmod(number, 4)
        top, left = y + 5 + row * (patch + 5), x + 5 + column * (patch + 5)
        image[top : top + patch, left : left + patch] = colour
