"""Several photos of one plant give one record: pooled, with the photos that disagree or were left out named."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leafid.bundle import Decision, FittedOn, OodDetector, OodPart
from leafid.cli import app
from leafid.errors import OutputError, UsageError
from leafid.identify import (
    Identifier,
    Plant,
    Record,
    Status,
    find_inputs,
    group_photos,
    identify_plants_to_file,
    identify_to_file,
    read_records,
)
from leafid.identify.evidence.photo_evidence import EvidenceReader, PhotoEvidence
from leafid.identify.evidence.pipeline import predict_in_order
from leafid.identify.question import Question
from leafid.identify.record_building import RecordBuilder
from leafid.trust import ImageQuality
from tests.identify.small_bundle import COLOURS, TARGET, coloured, leaf

OTHER = "Coffea canephora"


@pytest.fixture(scope="module")
def herbarium(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three plants of three photos each, one of them with a file that is not an image."""
    folder = tmp_path_factory.mktemp("plants")
    for plant, name in enumerate(COLOURS):
        for photo in range(3):
            path = folder / f"plant {plant}" / f"{plant}_{photo}.jpg"
            path.parent.mkdir(exist_ok=True)
            leaf(name, 10 * plant + photo).save(path, quality=95)
    (folder / "plant 2" / "2_3.jpg").write_text("no image")
    return folder


def _photos(folder: Path) -> list[str]:
    return sorted(map(str, folder.rglob("*.jpg")))


def test_one_record_for_each_plant(identifier: Identifier, herbarium: Path) -> None:
    records = list(identifier.identify_plants(group_photos(_photos(herbarium), "folder")))
    assert [record.scientific_name for record in records] == list(COLOURS)
    assert [record.plant for record in records] == [str(herbarium / f"plant {number}") for number in range(3)]
    assert [len(record.photos) for record in records] == [3, 3, 4]
    for record in records:
        assert record.of_plant and record.path == record.photos[0].path and record.subject == record.plant
        assert record.probability == record.candidates[0].probability
        assert sum(one.probability for one in record.candidates) == pytest.approx(1, abs=1e-5)
    assert records[0].caution is None
    assert records[2].caution == "1 of 4 photos left out: 2_3.jpg (not_an_image)."
    assert records[2].photos[3].left_out is not None and records[2].photos[3].left_out.startswith("not_an_image: ")


def test_a_plant_of_one_photo_has_the_answer_of_the_photo(identifier: Identifier, herbarium: Path) -> None:
    (photo,) = identifier.identify(_photos(herbarium)[:1])
    plant = identifier.identify_plant(_photos(herbarium)[:1])
    assert replace(plant, plant=None, photos=()) == photo
    # A photo that is named twice counts once.
    assert identifier.identify_plant(_photos(herbarium)[:1] * 2) == plant


def test_pooled_probabilities_are_steadier_than_those_of_photos(identifier: Identifier, tmp_path: Path) -> None:
    between = tuple((a + b) // 2 for a, b in zip(COLOURS[TARGET], COLOURS[OTHER], strict=True))
    paths = []
    for number, share in enumerate((0.35, 0.4, 0.2)):
        colour = [round(share * b + (1 - share) * a) for a, b in zip(COLOURS[TARGET], between, strict=True)]
        paths.append(tmp_path / f"{number}.png")
        coloured((colour[0], colour[1], colour[2]), number).save(paths[-1])
    photos = [record.target_probability or 0 for record in identifier.identify(paths)]
    pooled = identifier.identify_plant(paths).target_probability or 0
    assert min(photos) < pooled and all(0 < probability < 1 for probability in photos)


def test_photos_that_disagree_are_named(identifier: Identifier, herbarium: Path) -> None:
    photos = _photos(herbarium)
    record = identifier.identify_plant([*photos[:3], photos[3]], name="hedge")
    assert record.plant == "hedge" and record.candidates[0].scientific_name == OTHER
    assert record.caution is not None
    assert record.caution.startswith("1 of 4 photos looks more like another taxon: 1_0.jpg (Mitragyna hirsuta")
    assert record.caution.endswith("Check that all show one plant.")


def _with_limits(identifier: Identifier) -> Identifier:
    decision = Decision(min_probability=0.5, min_side=20)
    return replace(identifier, info=identifier.info.model_copy(update={"decision": decision}))


def test_unsuitable_photos_are_left_out_and_named(identifier: Identifier, herbarium: Path, tmp_path: Path) -> None:
    strict, good = _with_limits(identifier), _photos(herbarium)[0]
    dark, small = tmp_path / "dark.png", tmp_path / "small.png"
    coloured((5, 9, 5), 1, noise=4).save(dark)
    leaf(TARGET, 1, side=12).save(small)
    record = strict.identify_plant([good, dark, small])
    (alone,) = strict.identify([good])
    assert record.scientific_name == OTHER and record.candidates == alone.candidates
    assert [photo.left_out for photo in record.photos] == [None, "too_dark", "too_small"]
    assert record.caution == "2 of 3 photos left out: dark.png (too_dark), small.png (too_small)."
    none = strict.identify_plant([dark, small])
    assert none.status is Status.UNDETERMINED and none.reason == "too_dark" and len(none.candidates) == 3
    assert none.caution is not None and none.caution.startswith("No photo is suitable: dark.png (too_dark), small")
    gone = strict.identify_plant([tmp_path / "gone.jpg", tmp_path / "lost.jpg"])
    assert gone.status is Status.FAILED and gone.reason_code == "missing" and gone.of_plant
    assert gone.reason is not None and gone.reason.endswith("(and 1 more of 2 photos, none of which could be read)")


def test_a_photo_that_the_gate_doubts_stays_in_its_plant_where_it_is_well_known(
    identifier: Identifier, herbarium: Path
) -> None:
    fitted = FittedOn(split="val", images=9, gatherings=9)
    parts = (OodPart(score="mahalanobis", centre=0, scale=1),)
    detector = OodDetector(score="combined", parts=parts, threshold=2, id_acceptance_rate=0.95, fitted_on=fitted)
    limits = Decision(min_probability=0.5, min_good=0.15)
    info = identifier.info.model_copy(update={"decision": limits, "ood_detector": detector})
    reader = EvidenceReader(identifier.info, identifier.engine, None)
    paths = _photos(herbarium)[:2]
    batches = predict_in_order(paths, info.preprocessing, reader.read, batch_size=2, workers=1, concurrency=1)
    first, second = (photo for batch in batches for photo in batch if isinstance(photo, PhotoEvidence))
    gate = dict.fromkeys(("blurred", "several_plants", "cut_off", "too_small"), 0.0)
    doubted = ImageQuality(shorter_side=500, brightness=200, answers=gate | {"good": 0.1, "not_a_leaf": 0.9})
    known, unlike = (replace(first, quality=doubted, ood_score=score) for score in (1.0, 1.9))
    builder = RecordBuilder(info, identifier.engine.name, None, 0, Question(3, False, False, None))
    # The mean of 1.0 and 2.4 is too high to overrule the gate, but the photo that it doubted has passed already.
    record = builder.of_plant("hedge", [known, replace(second, ood_score=2.4)])
    assert record.scientific_name == OTHER and [photo.left_out for photo in record.photos] == [None, None]
    record = builder.of_plant("hedge", [unlike, second])
    assert record.scientific_name == OTHER and [photo.left_out for photo in record.photos] == ["not_a_leaf", None]
    assert builder.of_plant("hedge", [unlike]).reason == "not_a_leaf"


def test_plants_are_grouped_by_folder_column_or_pattern(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("a/1.jpg", "b/1.jpg", "a/2.jpg", "b/scan.tif#page=2")]
    assert [len(plant.photos) for plant in group_photos(paths, "folder")] == [2, 2]
    table = tmp_path / "photos.csv"
    table.write_text("path,plant no\na/1.jpg,7\nb/1.jpg,8\na/2.jpg,8\nb/scan.tif,7\n")
    listed = find_inputs([table])
    plants = group_photos(listed.paths, "plant no", given=listed.given)
    assert plants == (Plant("7", (paths[0], str(tmp_path / "b/scan.tif"))), Plant("8", (paths[1], paths[2])))
    by_number = group_photos(paths[:3], r"(\d)\.jpg$")
    assert by_number == (Plant("1", (paths[0], paths[1])), Plant("2", (paths[2],)))
    assert [plant.name for plant in group_photos(paths, r"[ab](?=/[^/]+$)")] == ["a", "b"]


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("plnt", "give folder, a column of the tables, which have plant, or a regular expression"),
        ("([a-z]", "not a regular expression"),
        (r"(zebra)", r"no match in the path; change the pattern: .*1\.jpg"),
        ("plant", r"no value in the column; fill it in: .*2\.jpg"),
    ],
)
def test_a_photo_without_a_plant_stops_the_command_with_a_reason(tmp_path: Path, by: str, message: str) -> None:
    table = tmp_path / "photos.csv"
    table.write_text("path,plant\n1.jpg,7\n2.jpg,\n")
    listed = find_inputs([table])
    with pytest.raises(UsageError, match=message):
        group_photos(listed.paths, by, given=listed.given)


def test_impossible_plants_are_refused(identifier: Identifier, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one photo"):
        identifier.identify_plant([])
    with pytest.raises(UsageError, match="more than 1,000 photos of one plant"):
        group_photos([str(tmp_path / f"{number}.jpg") for number in range(1001)], "folder")
    with pytest.raises(UsageError, match="on the web"):
        group_photos(["https://example.org/a.jpg"], "folder")
    table = tmp_path / "photos.csv"
    table.write_text("path,plant\n1.jpg,7\n1.jpg,8\n")
    with pytest.raises(UsageError, match="a photo of two plants, 7 and 8"):
        group_photos(find_inputs([table]).paths, "plant", given=find_inputs([table]).given)


def test_plants_stream(identifier: Identifier, herbarium: Path) -> None:
    photos, taken = _photos(herbarium)[:3], []

    def endless() -> Iterator[Plant]:
        for number in range(1000):
            taken.append(number)
            yield Plant(str(number), tuple(photos))

    records = identifier.identify_plants(endless(), batch_size=2, workers=2)
    assert [next(iter(records)).plant for _ in range(3)] == ["0", "1", "2"]
    assert len(taken) < 20


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("photos_too", [False, True])
def test_an_interrupted_result_continues(
    identifier: Identifier, herbarium: Path, tmp_path: Path, ending: str, photos_too: bool
) -> None:
    plants = group_photos(_photos(herbarium), "folder")
    whole, begun = tmp_path / f"whole{ending}", tmp_path / f"begun{ending}"
    summary = identify_plants_to_file(identifier, plants, whole, photos_too=photos_too)
    expected = list(read_records(whole))
    assert len(expected) == summary.images == (13 if photos_too else 3)
    assert [record.plant for record in expected if record.of_plant] == [plant.name for plant in plants]
    assert summary.failed_photos == 1 and summary.exit_code == 3

    class Interrupted(Exception):
        pass

    def stop(done: int, _: int) -> None:
        if done == (6 if photos_too else 2):  # in the middle of the second plant
            raise Interrupted

    with pytest.raises(Interrupted):
        identify_plants_to_file(identifier, plants, begun, photos_too=photos_too, on_progress=stop)
    again = identify_plants_to_file(identifier, plants, begun, photos_too=photos_too, existing="resume")
    assert list(read_records(begun)) == expected
    assert again.images == summary.images and again.statuses == summary.statuses


def test_photos_and_plants_are_not_mixed(identifier: Identifier, herbarium: Path, tmp_path: Path) -> None:
    paths, output = _photos(herbarium), tmp_path / "plants.csv"
    plants = group_photos(paths, "folder")
    identify_plants_to_file(identifier, plants[:2], output)
    with pytest.raises(OutputError, match=r"record 1: is of a plant. Add --plant-by"):
        identify_to_file(identifier, paths, output, existing="resume")
    other = (Plant(plants[0].name, plants[0].photos[:2]), *plants[1:])
    with pytest.raises(OutputError, match="had other photos"):
        identify_plants_to_file(identifier, other, output, existing="resume")
    with pytest.raises(OutputError, match=f"the plant {plants[0].name} is not among those named now"):
        identify_plants_to_file(identifier, plants[1:], output, existing="resume")
    photos = tmp_path / "photos.csv"
    identify_to_file(identifier, paths[:1], photos)
    with pytest.raises(OutputError, match=r"record 1: is of a photo. Leave out --plant-by"):
        identify_plants_to_file(identifier, plants, photos, existing="resume")


def _command(bundle: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["identify", str(bundle), *arguments, "--device", "cpu"])
    return done.exit_code, f"{done.output}{done.exception}"


def test_the_command_identifies_plants(bundle_folder: Path, herbarium: Path, tmp_path: Path) -> None:
    output, rows = tmp_path / "plants.csv", tmp_path / "dwc.csv"
    words = [str(herbarium), "--plant-by", r"(\d)_\d\.jpg$", "-o", str(output), "--report", str(tmp_path / "r.html")]
    code, text = _command(bundle_folder, *words, "--darwin-core", str(rows))
    assert code == 3, text
    records: list[Record] = list(read_records(output))
    assert [(record.plant, record.scientific_name) for record in records] == list(zip("012", COLOURS, strict=True))
    assert rows.read_text().count("\n") == 4 and "2_3.jpg (not_an_image)" in (tmp_path / "r.html").read_text()
    parts = []
    for number in (1, 2):
        part = tmp_path / f"{number}.csv"
        words = [str(herbarium), "--plant-by", "folder", "--shard", f"{number}/2", "-o", str(part)]
        assert _command(bundle_folder, *words)[0] in (0, 3)
        parts += [record.plant for record in read_records(part)]
    assert parts == [str(herbarium / f"plant {number}") for number in range(3)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--photos-too"], "Add --plant-by"),
        (["--plant-by", "folder", "--engine-cluster", "ray"], "not with --engine-cluster"),
        (["--plant-by", "folder", "--retry-failed", "--resume", "-o", "x.csv"], "--retry-failed does not work"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    bundle_folder: Path, herbarium: Path, words: list[str], message: str
) -> None:
    code, text = _command(bundle_folder, str(herbarium), *words)
    assert code != 0 and message in text


def test_one_plant_in_two_unicode_forms_is_one_plant() -> None:
    composed, decomposed = "B\u00e4ume/1.jpg", "Ba\u0308ume/2.jpg"
    for by in ("folder", r"(.+)/"):
        (plant,) = group_photos([composed, decomposed], by)
        assert (plant.name, plant.photos) == ("B\u00e4ume", (composed, decomposed))
