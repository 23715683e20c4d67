"""The picture of what the network will see."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from leafid.cli import app
from leafid.demo.gatherings import sheet_spec
from leafid.demo.sheet import draw_sheet
from leafid.errors import UsageError
from leafid.jobs import Preprocessing, ViewCounts
from leafid.sheets import draw_preview
from leafid.sheets.preview import panel_title

from .drawings import blank_sheet
from .test_preparation import opened, sheet


def test_preview_shows_image_mask_and_views() -> None:
    seen = Preprocessing(size=64, views=ViewCounts(image=1, plant=1, leaves=3, tiles=1))
    picture = np.asarray(draw_preview(opened(sheet()), seen))
    whole = np.asarray(draw_preview(opened(sheet()), Preprocessing(size=64)))
    assert picture.shape[1] > whole.shape[1] + 600  # the mask and three leaves beside each other
    for colour in ((220, 0, 110), (0, 80, 220), (230, 110, 0)):  # outline, leaf, tile
        assert (np.abs(picture.astype(int) - colour).max(axis=2) < 40).sum() > 300


def test_a_note_says_that_there_is_no_plant() -> None:
    seen = Preprocessing(size=64, views=ViewCounts(leaves=3))
    picture = np.asarray(draw_preview(opened(blank_sheet()), seen))
    assert (picture == (180, 0, 0)).all(axis=2).sum() > 100


def test_title_gives_the_scale_of_a_ruler() -> None:
    drawn = Image.fromarray(draw_sheet(sheet_spec(1, seed=99, px_per_mm=4.0)).image)
    reduced = replace(opened(np.asarray(drawn)), width=2 * drawn.width, height=2 * drawn.height)
    size = f"{2 * drawn.width} x {2 * drawn.height} pixels"
    assert panel_title(reduced, "a.jpg") == f"a.jpg  {size}, 8.0 px/mm"
    assert panel_title(opened(blank_sheet()), "b.jpg") == "b.jpg  700 x 1000 pixels"


def test_the_command_writes_a_picture(tmp_path: Path) -> None:
    Image.fromarray(sheet()).save(tmp_path / "sheet.png")
    done = CliRunner().invoke(app, ["preview", str(tmp_path / "sheet.png"), "-o", str(tmp_path / "look.jpg")])
    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / "look.jpg") as picture:
        assert picture.width > 1500


@pytest.mark.parametrize(("image", "output", "message"), [("none.png", "x.png", "missing"), ("a.png", "x.gif", "png")])
def test_the_command_names_mistakes(tmp_path: Path, image: str, output: str, message: str) -> None:
    done = CliRunner().invoke(app, ["preview", str(tmp_path / image), "-o", str(tmp_path / output)])
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
