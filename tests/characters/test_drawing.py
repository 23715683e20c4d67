"""Measured lines and characters are drawn over the leaf."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from leafid.characters import draw_leaf_lines, measure_leaf, preview_characters
from leafid.characters.drawing import MIDRIB, VEIN
from tests.characters.leaves import drawn_leaf, on_paper, parsed

LEAFID = str(Path(sys.executable).with_name("leafid"))


def test_lines_are_drawn_with_the_apex_up() -> None:
    leaf = drawn_leaf("Coffea canephora", 6, direction_deg=180, px_per_mm=3)
    measured = measure_leaf(on_paper(leaf), parsed(leaf))
    picture = np.asarray(draw_leaf_lines(measured.pixels, measured.lines))
    assert max(picture.shape[:2]) == 720
    blue = np.argwhere((picture == MIDRIB).all(axis=2))
    red = np.argwhere((picture == VEIN).all(axis=2))
    assert len(red) > 500
    drawn = leaf.traits.length_mm * 3 * 720 / max(measured.pixels.shape[:2])
    assert abs(np.ptp(blue[:, 0]) - drawn) < 30
    assert measured.lines is not None and measured.lines.midrib[0, 1] < measured.lines.midrib[-1, 1]


def test_the_command_draws_the_leaves_of_an_image(tmp_path: Path) -> None:
    leaf = drawn_leaf("Coffea canephora", 6)
    Image.fromarray(on_paper(leaf)).save(tmp_path / "leaf.png")
    command = [LEAFID, "preview", str(tmp_path / "leaf.png"), "--characters"]
    run = subprocess.run([*command, "-o", str(tmp_path / "out.png")], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    drawn = np.asarray(Image.open(tmp_path / "out.png").convert("RGB"))
    assert (drawn == VEIN).all(axis=2).sum() > 300


def test_characters_refuse_a_job(tmp_path: Path) -> None:
    command = [LEAFID, "preview", "a.png", "-o", str(tmp_path / "o.png"), "--characters"]
    run = subprocess.run([*command, "--job", "job.yaml"], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "Leave out --job and --bundle" in run.stderr


def test_the_drawing_says_that_there_is_no_leaf(tmp_path: Path) -> None:
    Image.new("RGB", (300, 400), (228, 224, 214)).save(tmp_path / "blank.png")
    picture = preview_characters(tmp_path / "blank.png")
    assert (np.asarray(picture) == 0).all(axis=2).sum() > 50  # the sentence, in black
