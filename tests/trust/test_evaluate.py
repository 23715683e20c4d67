"""A run is evaluated, and all results are written."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from leafid.catalog import write_catalog
from leafid.curation import write_split
from leafid.errors import TaxonomyError, UsageError
from leafid.trust import Evaluation, evaluate
from leafid.trust.evaluation.plots import write_confusion_matrix
from tests.identify.small_bundle import COLOURS, TARGET, leaf
from tests.trust.conftest import MISLABELLED

FILES = ["confusion.csv", "confusion.png", "evaluation.html", "evaluation.json", "per_taxon.csv", "predictions.csv"]


def test_metrics_and_files_of_a_run(run_folder: Path) -> None:
    evaluation = evaluate(run_folder, device="cpu")
    out = run_folder / "evaluation" / "test"
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert (evaluation.images, evaluation.read, evaluation.failures) == (14, 14, ())
    assert evaluation.accuracy == pytest.approx(12 / 14)
    coffea, hirsuta, speciosa = evaluation.taxa
    assert (coffea.images, coffea.correct) == (6, 4) and coffea.f1 == pytest.approx(0.8)
    assert hirsuta.f1 == 1 and speciosa.precision == pytest.approx(4 / 6)
    assert evaluation.macro_f1 == pytest.approx((0.8 + 1 + 0.8) / 3)
    assert evaluation.balanced_accuracy == pytest.approx((4 / 6 + 1 + 1) / 3)
    assert evaluation.target is not None
    assert (evaluation.target.sensitivity, evaluation.target.false_positives) == (1, MISLABELLED)
    assert evaluation.target.specificity == pytest.approx(8 / 10)
    assert evaluation.undetermined == 0 and evaluation.accuracy_when_identified == evaluation.accuracy
    assert Evaluation.model_validate_json((out / "evaluation.json").read_text()) == evaluation
    confusion = pd.read_csv(out / "confusion.csv", index_col="determination")
    assert confusion.loc["Coffea canephora", TARGET] == MISLABELLED and confusion.to_numpy().sum() == 14
    assert pd.read_csv(out / "per_taxon.csv")["f1"].tolist() == pytest.approx([0.8, 1, 0.8])
    with Image.open(out / "confusion.png") as picture:
        assert min(picture.size) > 300


def test_slow_measurements_need_the_option_full(run_folder: Path) -> None:
    plain, full = evaluate(run_folder, device="cpu"), evaluate(run_folder, device="cpu", full=True)
    assert plain.controls == () and plain.heat is None and plain.learning_curve == ()
    assert full.accuracy == plain.accuracy
    assert [one.part for one in full.controls] == ["whole", "plant", "border", "background", "objects"]
    assert all(one.images == 14 for one in full.controls) and full.controls[0].accuracy == pytest.approx(12 / 14)
    assert full.heat is not None and full.heat.images == 10 and full.heat.insertion >= full.heat.deletion
    assert full.learning_curve == ()  # the head of this run is not a linear probe
    page = (run_folder / "evaluation" / "test" / "evaluation.html").read_text()
    assert "Masked images" in page and "Heat maps" in page and "Would more sheets help" not in page


def test_images_are_grouped_by_size_and_sharpness(run_folder: Path) -> None:
    groups = evaluate(run_folder, device="cpu").groups
    assert not any(group.column == "shorterSide" for group in groups)  # all images have the same size
    by_sharpness = [group for group in groups if group.column == "sharpness"]
    assert by_sharpness and all(5 <= group.images < 14 for group in by_sharpness)
    lows = [float(group.value.partition(" ")[0].replace(",", "")) for group in by_sharpness]
    assert lows == sorted(lows)


def test_kinds_of_image_are_reported_apart(run_folder: Path) -> None:
    _set_domains(run_folder, trained_on={"specimen": 9, "field": 5})
    evaluation = evaluate(run_folder, device="cpu")
    sheets, photos = (
        next(group for group in evaluation.groups if group.value == value) for value in ("specimen", "field")
    )
    assert (sheets.images, photos.images) == (8, 6)  # the mislabelled ones are the last, and are photos
    assert sheets.accuracy == 1 and photos.accuracy == photos.accuracy_when_identified == pytest.approx(4 / 6)
    assert "photos of living plants (6): accuracy 0.667" in str(evaluation) and "Warning" not in str(evaluation)


def test_a_bundle_of_sheets_alone_is_warned_about_on_photos(run_folder: Path) -> None:
    _set_domains(run_folder, trained_on={"specimen": 9})
    evaluation = evaluate(run_folder, device="cpu")
    assert evaluation.unseen_domains == {"field": 6}
    assert "Warning: of the images, 6 photos of living plants are of a kind that the bundle was not trained on" in str(
        evaluation
    )
    assert "not trained on" in (run_folder / "evaluation" / "test" / "evaluation.html").read_text()


def _set_domains(run: Path, *, trained_on: dict[str, int]) -> None:
    """Mark the last six images of the split as photos in the open, the others as sheets."""
    split = pd.read_csv(run / "split.csv")
    split["domain"] = ["field" if number >= len(split) - 6 else "specimen" for number in range(len(split))]
    write_split(run / "split.csv", split)
    description = run / "bundle" / "bundle.json"
    content = json.loads(description.read_text())
    content["provenance"]["domains"] = trained_on
    description.write_text(json.dumps(content))


def test_predictions_hold_every_image_and_every_probability(run_folder: Path) -> None:
    evaluate(run_folder, device="cpu", on="train")
    predictions = pd.read_csv(run_folder / "evaluation" / "train" / "predictions.csv")
    assert len(predictions) == 9 and list(predictions["image_id"]) == [f"i{number}" for number in range(9)]
    each = predictions[[f"probability of {name}" for name in COLOURS]]
    assert each.sum(axis=1).tolist() == pytest.approx([1] * 9, abs=1e-4)
    assert predictions["probability"].tolist() == pytest.approx(each.max(axis=1).tolist())
    assert (predictions["most_probable"] == predictions["scientificName"]).all()


def test_unreadable_images_are_listed_and_counted(run_folder: Path) -> None:
    (run_folder.parent / "images" / "9.png").write_text("no image")
    (run_folder.parent / "images" / "22.png").unlink()
    evaluation = evaluate(run_folder, device="cpu")
    assert (evaluation.images, evaluation.read) == (14, 12)
    assert [(one.image_id, one.reason) for one in evaluation.failures] == [("i9", "not_an_image"), ("i22", "missing")]
    assert sum(map(sum, evaluation.confusion)) == 12
    assert evaluation.accuracy == pytest.approx(11 / 12)
    assert "2 could not be read" in str(evaluation)
    predictions = pd.read_csv(run_folder / "evaluation" / "test" / "predictions.csv")
    failed = predictions[predictions["status"] == "failed"]
    assert list(failed["image_id"]) == ["i9", "i22"] and failed["probability"].isna().all()


def test_an_evaluation_without_any_readable_image(run_folder: Path) -> None:
    shutil.rmtree(run_folder.parent / "images")
    evaluation = evaluate(run_folder, device="cpu")
    assert (evaluation.images, evaluation.read, evaluation.accuracy, evaluation.macro_f1) == (14, 0, None, None)
    assert evaluation.undetermined_share is None and "None" not in str(evaluation)


def test_undetermined_images_are_counted_apart(run_folder: Path) -> None:
    description = run_folder / "bundle" / "bundle.json"
    content = json.loads(description.read_text())
    content["decision"]["min_probability"] = 1.0
    description.write_text(json.dumps(content))
    evaluation = evaluate(run_folder, device="cpu")
    assert (evaluation.undetermined, evaluation.undetermined_share) == (14, 1)
    assert evaluation.accuracy_when_identified is None and evaluation.accuracy == pytest.approx(12 / 14)


def test_a_bundle_in_its_run_is_evaluated_on_the_split_of_the_run(run_folder: Path, tmp_path: Path) -> None:
    evaluation = evaluate(run_folder / "bundle", device="cpu", out=tmp_path / "out")
    assert evaluation.images == 14 and sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES


def test_a_bundle_outside_its_run_needs_a_catalog(run_folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    shutil.copytree(run_folder / "bundle", alone)
    with pytest.raises(UsageError, match=r"lies outside its run.*--catalog"):
        evaluate(alone, device="cpu")
    with pytest.raises(UsageError, match="There is no run or bundle"):
        evaluate(tmp_path / "nowhere", device="cpu")
    rows = [
        (f"x{n}", f"x{n}.png", name, split)
        for n, (name, split) in enumerate([*((name, "test") for name in COLOURS), (TARGET, None)])
    ]
    for image_id, path, name, _ in rows:
        leaf(name, int(image_id[1:])).save(tmp_path / path)
    catalog = tmp_path / "other.csv"
    write_catalog(pd.DataFrame(rows, columns=["image_id", "path", "scientificName", "split"]), catalog)
    with pytest.raises(UsageError, match="--out"):
        evaluate(alone, catalog=catalog, device="cpu")
    assert evaluate(alone, catalog=catalog, out=tmp_path / "a", device="cpu").images == 3
    everything = evaluate(alone, catalog=catalog, on="all", out=tmp_path / "b", device="cpu")
    assert (everything.images, everything.gatherings, everything.accuracy) == (4, 4, 1)


def test_all_names_unknown_to_the_bundle_are_listed(run_folder: Path, tmp_path: Path) -> None:
    split = pd.read_csv(run_folder / "split.csv")
    split.loc[[10, 12], "scientificName"] = ["Rosa gallica", "Salix alba"]
    split.to_csv(run_folder / "split.csv", index=False)
    with pytest.raises(TaxonomyError, match="'Rosa gallica', 'Salix alba'"):
        evaluate(run_folder, device="cpu")


def test_a_split_without_images_is_refused(run_folder: Path) -> None:
    with pytest.raises(UsageError, match="has no val images"):
        evaluate(run_folder, on="val", device="cpu")
    with pytest.raises(UsageError, match="choose train, val or test"):
        evaluate(run_folder, on="tset", device="cpu")


def test_the_summary_holds_the_metrics_and_the_limits(run_folder: Path) -> None:
    progress: list[tuple[int, int]] = []
    report = str(evaluate(run_folder, device="cpu", on_progress=lambda done, total: progress.append((done, total))))
    assert "accuracy            0.857" in report and "macro-F1            0.867" in report
    assert f"{TARGET} (4) against the rest (10)" in report and "AUROC" in report
    assert "The bundle knows 3 taxa only." in report and progress[-1] == (14, 14)


@pytest.mark.parametrize("taxa", [1, 2, 36])
def test_the_confusion_matrix_is_drawn_for_few_and_many_taxa(tmp_path: Path, taxa: int) -> None:
    confusion = [[100 * (row == column) + (row * column) % 3 for column in range(taxa)] for row in range(taxa)]
    names = [f"Mitragyna species{number}" for number in range(taxa)]
    write_confusion_matrix(confusion, names, "title", "limits", tmp_path / "confusion.png")
    with Image.open(tmp_path / "confusion.png") as picture:
        assert picture.size[0] < 3000
