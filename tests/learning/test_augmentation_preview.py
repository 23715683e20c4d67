"""The picture of `leafid preview --augment`."""

from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from leafid.cli import app


def test_augmentations_are_shown_beside_the_view(data: Path, tmp_path: Path) -> None:
    sheet, picture = str(data / "0.png"), str(tmp_path / "augmented.png")
    done = CliRunner().invoke(app, ["preview", sheet, "-o", picture, "--augment"])
    assert done.exit_code == 0, done.output
    with Image.open(picture) as image:
        rows = np.asarray(image.convert("L")).astype(float)
    cells, single_changes = rows[34:264, 10:], rows[298:528, 10:]  # the first two rows, below their captions
    views = [cells[:, left : left + 230] for left in range(0, 10 * 240 - 10, 240)]
    changes = [np.abs(view - views[0]).mean() for view in views[1:]]
    assert len(views) == 10
    assert min(changes) > 1  # every draw differs
    assert np.mean(changes[:3]) < np.mean(changes[6:])  # light changes less than strong
    singles = [np.abs(single_changes[:, left : left + 230] - views[0]).mean() for left in range(0, 10 * 240 - 10, 240)]
    assert len(singles) == 10
    either = np.maximum(singles[::2], singles[1::2])
    assert either[1:].min() > 0.1  # each change differs; the first, other paper, needs a certain plant mask


def test_two_pictures_at_once_are_refused(data: Path, tmp_path: Path) -> None:
    command = ["preview", str(data / "0.png"), "-o", str(tmp_path / "x.png"), "--augment", "--characters"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code != 0
