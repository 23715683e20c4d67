"""The audit counts correctly, finds shortcuts only where they exist, and writes a self-contained page."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from leafid.catalog import read_catalog, write_catalog
from leafid.curation import assign_gatherings
from leafid.curation.auditing import AuditFiles, audit
from leafid.curation.auditing.region_features import region_features
from leafid.curation.auditing.shortcut_classifiers import GroupedLabels, cross_validate
from leafid.errors import CatalogError
from leafid.jobs import CurationSettings, FolderSource, Job, OutputSettings
from leafid.sources import collect

GREEN = (40, 110, 50)


def plant_mask(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Select green pixels, which only the drawn plants have."""
    values = rgb.astype(np.int64)
    return np.asarray((values[..., 1] > values[..., 0] + 30) & (values[..., 1] > values[..., 2] + 30))


def draw_sheet(path: Path, paper: tuple[int, int, int], generator: np.random.Generator) -> None:
    """Draw a green leaf and a label at random positions on paper."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = generator.normal(0, 3, (200, 150, 1))
    image = Image.fromarray(np.clip(np.array(paper) + noise, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    x, y = generator.integers(30, 60, 2).tolist()
    pen.ellipse((x, y, x + 40, y + 90), fill=GREEN)
    x, y = int(generator.integers(0, 110)), int(generator.integers(160, 180))
    pen.rectangle((x, y, x + 30, y + 15), fill=(250, 250, 250), outline=(60, 60, 60))
    image.save(path)


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> AuditFiles:
    """Audit two taxa, each mostly on paper of its own colour, and one broken file."""
    folder = tmp_path_factory.mktemp("audit")
    generator = np.random.default_rng(0)
    for number in range(24):
        for name, papers in (("Viola alba", ((235, 230, 210), (200, 205, 230))), ("Viola <b>", ((200, 205, 230),) * 2)):
            draw_sheet(folder / "photos" / name / f"{number}.png", papers[number % 6 == 0], generator)
    (folder / "photos" / "Viola alba" / "broken.png").write_bytes(b"nothing")
    job = Job(
        name="audited",
        sources=(FolderSource(kind="folder", path=folder / "photos"),),
        output=OutputSettings(data=folder / "data"),
        curation=CurationSettings(),
    )
    collect(job)
    catalog = read_catalog(job.catalog_path)
    numbers = catalog["path"].str.extract(r"(\d+)\.png")[0]
    catalog["recordedBy"] = "Wallichiana Collectrix"
    catalog["gathering_id"] = catalog["scientificName"] + numbers
    catalog["institutionCode"] = ["LK"[int(number) % 2] for number in numbers]
    catalog["license"] = "CC-BY-4.0"
    write_catalog(catalog, job.catalog_path)
    assign_gatherings(job.catalog_path)
    return audit(job, plant_mask=plant_mask)


def test_the_contents_of_the_catalog_are_counted(audited: AuditFiles) -> None:
    result = audited.audit
    assert (result.images, result.gatherings, result.failures) == (48, 48, {"not_an_image": 1})
    viola = next(taxon for taxon in result.taxa if taxon.scientific_name == "Viola alba")
    assert (viola.images, viola.institutions, viola.licences) == (24, {"L": 12, "K": 12}, {"CC-BY-4.0": 24})
    assert viola.shorter_side == (150, 150, 150)
    assert sum(viola.splits.values()) == 24
    assert json.loads(audited.json_path.read_text(encoding="utf-8"))["images"] == 48


def test_a_shortcut_is_found_and_vanishes_with_the_background(audited: AuditFiles) -> None:
    clear = {
        (row.question, row.background, row.region)
        for row in audited.audit.shortcuts
        if row.beats_chance and row.classifier == "nearest_neighbour"
    }
    assert {("taxon", "kept", "border"), ("taxon", "kept", "background"), ("taxon", "kept", "mean_colour")} <= clear
    assert not {("taxon", "removed", "border"), ("taxon", "kept", "label_region")} & clear
    assert not {key for key in clear if key[0] == "institution"}
    warnings = "\n".join(audited.audit.warnings)
    assert "uses only the border of the image" in warnings
    assert "labels, rulers, stamps" not in warnings


def test_the_page_is_self_contained_and_shows_no_collector(audited: AuditFiles) -> None:
    html = audited.html_path.read_text(encoding="utf-8")
    assert html.count('src="data:image/jpeg;base64,') >= 16
    assert not re.search(r'(src|href)="(?!data:)', html) and "<script" not in html
    assert "Viola &lt;b&gt;" in html and "Viola <b>" not in html
    assert "Collectrix" not in html + audited.json_path.read_text(encoding="utf-8")
    assert "a hint, not a determination" in html
    assert "None" not in re.sub(r"<p>None\.</p>|base64,[^\"]*", "", html)


def test_without_a_plant_mask_its_regions_are_omitted_with_a_note(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    for name in ("Viola alba", "Viola hirta"):
        for number in range(6):
            draw_sheet(tmp_path / "photos" / name / f"{number}.png", (235, 230, 210), generator)
    job = Job(
        name="audited",
        sources=(FolderSource(kind="folder", path=tmp_path / "photos"),),
        output=OutputSettings(data=tmp_path / "data"),
    )
    with pytest.raises(CatalogError, match="There is no catalog"):
        audit(job)
    collect(job)
    result = audit(job).audit
    assert {row.region for row in result.shortcuts} == {"border", "mean_colour", "whole"}
    assert any("no plant mask" in note for note in result.notes)
    assert any("institution were not tested" in note for note in result.notes)
    assert any("no gathering" in warning for warning in result.warnings)


def test_region_features_do_not_depend_on_the_plant() -> None:
    generator = np.random.default_rng(0)
    paper = np.clip(220 + generator.normal(0, 3, (200, 150, 3)), 0, 255).astype(np.uint8)
    one, other = paper.copy(), paper.copy()
    one[60:140, 50:100] = GREEN
    other[80:120, 40:110] = (90, 140, 40)
    features, other_features = region_features(one, plant_mask), region_features(other, plant_mask)
    for key in (("kept", "border"), ("kept", "label_region"), ("removed", "border")):
        np.testing.assert_allclose(features[key], other_features[key], atol=0.01)
    np.testing.assert_allclose(features["kept", "background"], other_features["kept", "background"], atol=0.05)
    assert np.abs(features["kept", "whole"] - other_features["kept", "whole"]).max() > 10


def test_noise_scores_chance_and_informative_features_score_above() -> None:
    generator = np.random.default_rng(0)
    gatherings = np.repeat(np.arange(60), 3)
    grouped_labels = GroupedLabels(gatherings % 4, gatherings, seed=0)
    noise = generator.normal(size=(180, 12)).astype(np.float32)
    informative = noise + 6 * np.eye(12, dtype=np.float32)[grouped_labels.labels]
    for score in cross_validate(noise, grouped_labels).values():
        assert score.low <= score.score <= score.high
        assert score.low < 0.25 < score.shuffled
    for score in cross_validate(informative, grouped_labels).values():
        assert score.low > 0.9 and score.score <= score.high


def test_similarity_within_gatherings_does_not_raise_the_score() -> None:
    generator = np.random.default_rng(0)
    gatherings = np.repeat(np.arange(40), 5)
    own = generator.normal(size=(40, 8)).astype(np.float32)[gatherings]
    grouped_labels = GroupedLabels(gatherings % 4, gatherings, seed=0)
    for score in cross_validate(own, grouped_labels).values():
        assert score.low <= max(0.25, score.shuffled)


def test_constant_features_score_chance() -> None:
    gatherings = np.arange(40)
    grouped_labels = GroupedLabels(gatherings % 4, gatherings, seed=0)
    for score in cross_validate(np.ones((40, 5), dtype=np.float32), grouped_labels).values():
        assert score.score == pytest.approx(0.25)
