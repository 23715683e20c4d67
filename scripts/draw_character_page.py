"""Draw a page of photos with what was measured over them, to look at.

    python scripts/draw_character_page.py ../shared/photos/kratom ../shared/photos/field --every 5 -o page.png

For each photo: the whole with the boxes of its leaves (green measured, red not, with the reason), and its best leaf,
apex up, with midrib, numbered secondary veins, widest line and the angles of apex and base.
"""

import argparse
import sys
from pathlib import Path

import cv2
from PIL import Image, ImageDraw, ImageFont

from leafid.characters import MeasuredImage, MeasuredLeaf, draw_leaf_lines, measure_image
from leafid.identify import find_image_files
from leafid.images import OpenedImage, open_image

_SIDE, _CAPTION = 360, 22
_GREEN, _RED = (0, 190, 60), (230, 0, 0)


def main() -> int:
    """Measure the photos and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", help="images or folders")
    parser.add_argument("--every", type=int, default=1, help="take every n-th image")
    parser.add_argument("--columns", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    cells = []
    for path in find_image_files(arguments.paths).paths[:: arguments.every]:
        opened = open_image(Path(path), needed_side=1500)
        cells.append(cell(opened, measure_image(opened, rulers=True), Path(path).stem))
    rows = -(-len(cells) // arguments.columns)
    width, height = 2 * _SIDE + 8, _SIDE + _CAPTION
    page = Image.new("RGB", (arguments.columns * width, rows * height), "white")
    for number, picture in enumerate(cells):
        page.paste(picture, (number % arguments.columns * width, number // arguments.columns * height))
    page.save(arguments.output)
    print(f"{arguments.output}: {len(cells)} photos")
    return 0


def cell(image: OpenedImage, measured: MeasuredImage, title: str) -> Image.Image:
    """Draw one photo beside its best leaf."""
    canvas = Image.new("RGB", (2 * _SIDE, _SIDE + _CAPTION), "white")
    scale = _SIDE / max(image.width, image.height)
    photo = image.rgb.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    draw = ImageDraw.Draw(photo)
    for number, leaf in enumerate(measured.leaves, start=1):
        colour = _RED if leaf.not_measured else _GREEN
        left, top, right, bottom = (side * scale for side in leaf.box)
        draw.rectangle((left, top, right, bottom), outline=colour, width=2)
        draw.text((left + 3, top + 2), f"{number} {leaf.not_measured or ''}", colour, ImageFont.load_default(12))
    canvas.paste(photo, (0, 0))
    if measured.leaves and measured.leaves[0].lines is not None:
        best = measured.leaves[0]
        canvas.paste(draw_leaf_lines(best.pixels, best.lines, longest=_SIDE), (_SIDE, 0))
    text = f"{title[:26]}: {said(measured.leaves[0]) if measured.leaves else measured.not_measured}"
    if measured.px_per_mm is not None:
        text += f", {measured.px_per_mm:.2f} px/mm"
    ImageDraw.Draw(canvas).text((2, _SIDE + 2), text, (0, 0, 0), ImageFont.load_default(15))
    return canvas


def said(leaf: MeasuredLeaf) -> str:
    """Say in short what was measured."""
    characters = leaf.characters
    if characters.length_width_ratio is None:
        return str(leaf.not_measured)
    left, right = characters.secondary_veins_left, characters.secondary_veins_right
    count = f"{left.value:.0f}/{right.value:.0f}" if left and right else str(leaf.no_veins)
    return f"L:W {characters.length_width_ratio.value:.2f}, {count}"


if __name__ == "__main__":
    sys.exit(main())
