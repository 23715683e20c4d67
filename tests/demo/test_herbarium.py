"""`draw_herbarium` writes files for a CSV source, the same with any number of workers."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from leafid.demo import DEMO_TAXA, HERBARIA, draw_herbarium, leaf_ranges, sheet_spec
from leafid.demo.paper import bare_sheet
from leafid.errors import OutputError, UsageError


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def herbarium(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("drawn")
    assert draw_herbarium(out, sheets=13, seed=3, px_per_mm=1.0, workers=1) == out / "sheets.csv"
    return out


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "sheets.csv").open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "truth" / "truth.jsonl").read_text("utf-8").splitlines()]


def test_same_files_with_one_and_with_two_workers(herbarium: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    draw_herbarium(
        tmp_path, sheets=13, seed=3, px_per_mm=1.0, workers=2, on_progress=lambda done, of: seen.append((done, of))
    )
    assert digests(tmp_path) == digests(herbarium)
    assert seen == [(i, 13) for i in range(1, 14)]


def test_a_smaller_herbarium_is_the_beginning_of_a_larger_one(herbarium: Path, tmp_path: Path) -> None:
    draw_herbarium(tmp_path, sheets=2, seed=3, px_per_mm=1.0, workers=1)
    assert rows(tmp_path) == rows(herbarium)[:2]
    larger = digests(herbarium)
    assert all(larger[name] == digest for name, digest in digests(tmp_path).items() if name.endswith((".jpg", ".png")))


def test_table_has_darwin_core_columns_and_empty_cells_for_missing_values(herbarium: Path) -> None:
    table = rows(herbarium)
    assert {row["scientificName"] for row in table} == set(DEMO_TAXA)
    assert {row["domain"] for row in table} == {"drawn"}
    assert len({row["catalogNumber"] for row in table}) == 13
    assert {row["references"] for row in table} == {""}
    assert not any("None" in value for row in table for value in row.values())
    for row in table:
        assert (herbarium / row["path"]).is_file()
        assert row["genus"] == row["scientificName"].split()[0]


def test_truth_agrees_with_the_masks(herbarium: Path) -> None:
    for row, record in zip(rows(herbarium), records(herbarium), strict=True):
        assert record["path"] == row["path"] and record["scientificName"] == row["scientificName"]
        name = Path(row["path"]).stem + ".png"
        plant, leaves, veins, furniture = (
            cv2.imread(str(herbarium / "truth" / kind / name), cv2.IMREAD_GRAYSCALE)
            for kind in ("plant", "leaves", "veins", "furniture")
        )
        assert plant is not None and leaves is not None and veins is not None and furniture is not None
        assert plant.shape == (record["height_px"], record["width_px"])
        assert np.array_equal(plant > 0, leaves > 0)
        assert not np.any((veins > 0) & (plant == 0)) and not np.any((furniture > 0) & (plant > 0))
        pairs_low, pairs_high = leaf_ranges(record["scientificName"]).vein_pairs
        for leaf in record["leaves"]:
            left, right = leaf["vein_pairs"]
            assert pairs_low <= min(left, right) and max(left, right) <= pairs_high
            if leaf["visible_fraction"] > 0.05:
                assert np.any(leaves == leaf["number"])
            length_px = np.hypot(*np.diff(np.array(leaf["midrib_px"]), axis=0).T).sum()
            assert length_px / record["px_per_mm"] == pytest.approx(leaf["length_mm"], rel=0.08)


def test_border_of_the_image_does_not_reveal_the_taxon() -> None:
    """The nearest neighbour by the border of the empty sheet is hardly better than chance (1/6)."""
    borders, taxa = [], []
    for index in range(240):
        spec = sheet_spec(index, seed=0, px_per_mm=0.5)
        image = bare_sheet(spec.herbarium, 0.5, spec.rng()).astype(float)
        borders.append(
            np.concatenate([image[:5].ravel(), image[-5:].ravel(), image[:, :5].ravel(), image[:, -5:].ravel()])
        )
        taxa.append(spec.taxon)
    points = np.stack(borders)
    squares = (points**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * points @ points.T
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    assert np.mean([taxa[i] == taxa[j] for i, j in enumerate(nearest)]) < 0.27


def test_error_lists_all_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"sheets is 0.*seed is -1.*px_per_mm is 99.*workers is 0"):
        draw_herbarium(tmp_path, sheets=0, seed=-1, px_per_mm=99, workers=0)


def test_error_names_the_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="file"):
        draw_herbarium(tmp_path / "file" / "out", sheets=1)


def test_every_herbarium_is_drawn(herbarium: Path) -> None:
    assert {row["institutionCode"] for row in rows(herbarium)} == {herbarium.code for herbarium in HERBARIA}
