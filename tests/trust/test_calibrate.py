"""Calibration is fitted on validation images, written into the bundle, and changes predictions as expected."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from leafid.bundle import read_bundle, update_bundle, write_bundle
from leafid.errors import BundleError, RunError
from leafid.learning import Run, augmented_copy_embeddings, load_network, split_embeddings, train_val_rows
from leafid.learning.linear_probe.probe import fit_probe_head
from leafid.learning.run import LinearProbeInfo
from leafid.trust import ReferenceSpecimens, calibrate, evaluate
from leafid.trust.label_issues import find_label_issues, write_label_issues
from leafid.trust.nuisance import nuisance_directions
from leafid.trust.training_features import TrainingFeatures
from tests.identify.small_bundle import COLOURS, leaf

WRONG_LABEL = dict(zip(COLOURS, [*list(COLOURS)[1:], next(iter(COLOURS))], strict=True))
"""For each taxon another one."""


@pytest.fixture
def with_val(run_folder: Path) -> Path:
    """Return the run with 8 validation images of each taxon."""
    split = pd.read_csv(run_folder / "split.csv")
    rows = []
    for number, (name, seed) in enumerate([(name, seed) for name in COLOURS for seed in range(8)]):
        leaf(name, 500 + seed).save(run_folder.parent / "images" / f"v{number}.png")
        rows.append((f"v{number}", f"images/v{number}.png", name, f"v{number}", None, "drawn", "val"))
    pd.concat([split, pd.DataFrame(rows, columns=split.columns)]).to_csv(run_folder / "split.csv", index=False)
    return run_folder


def test_the_bundle_holds_everything_that_calibration_fits(with_val: Path) -> None:
    before = read_bundle(with_val).info
    calibrated = calibrate(with_val, device="cpu")
    info = read_bundle(with_val).info
    assert info == calibrated.info and info.weights_sha256 == before.weights_sha256
    assert info.identifier != before.identifier
    assert info.calibration.fitted_on is not None
    assert (info.calibration.fitted_on.images, info.calibration.fitted_on.split) == (24, "val")
    assert info.prediction_sets is not None and info.prediction_sets.coverage == 0.95
    assert info.ood_detector is not None and info.references is not None and info.references.images == 33
    assert info.decision.min_side == 16
    assert info.decision.min_good is None  # the squares of the tests are no photos of leaves
    card = (with_val / "bundle" / "MODEL_CARD.md").read_text()
    assert "val: 24 images of 24 gatherings" in card and "Not yet measured on test images" in card


def test_a_bundle_stores_the_distributions_of_its_ood_score(with_val: Path) -> None:
    bundle = calibrate(with_val, device="cpu")
    assert bundle.info.ood_detector is not None and bundle.info.ood_detector.needs_gaussians
    training = TrainingFeatures.of_bundle(bundle)
    assert training is not None and training.stored is not None
    run, device = Run.open(with_val), torch.device("cpu")
    nuisance = nuisance_directions(run, load_network(bundle), train_val_rows(run), training.features, device)
    assert nuisance.shape[1] == 6  # of four images, copied four times
    assert np.abs(training.stored.axes.T @ nuisance).max() < 1e-3  # what moves with the photo alone is left out
    fitted = TrainingFeatures.of(training.features, training.labels, nuisance)
    expected = fitted.mahalanobis(training.features, relative=True)
    found = training.mahalanobis(training.features, relative=True)
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.02 * np.ptp(expected))
    without = {name: array for name, array in bundle.references().items() if name != "gaussians.within"}
    table = (bundle.folder / "references.csv").read_text()
    with pytest.raises(BundleError, match=r"lacks the distributions of its OOD score.*train it again"):
        TrainingFeatures.of_bundle(update_bundle(bundle, bundle.info, "", without, table))


def test_a_probe_is_calibrated_out_of_fold_on_train_and_val(with_val: Path) -> None:
    _make_probe(with_val)
    info = calibrate(with_val, device="cpu").info
    assert info.calibration.fitted_on is not None and info.ood_detector is not None and info.prediction_sets is not None
    for fitted in (info.calibration.fitted_on, info.ood_detector.fitted_on, info.prediction_sets.fitted_on):
        assert (fitted.split, fitted.images) == ("train and val, out of fold", 33)
    assert 0.5 < info.calibration.temperature < 2  # the head is right and well calibrated


def test_fine_tuned_features_are_calibrated_on_val_alone(with_val: Path) -> None:
    """They know the labels of train, whose images a head of the other folds names too easily."""
    run = Run.open(_make_probe(with_val))
    run.record(kept="fine-tuned")
    info = calibrate(with_val, device="cpu").info
    assert info.calibration.fitted_on is not None and info.prediction_sets is not None
    for fitted in (info.calibration.fitted_on, info.prediction_sets.fitted_on):
        assert (fitted.split, fitted.images) == ("val, out of fold", 24)


def test_an_overconfident_head_gets_a_high_temperature(with_val: Path) -> None:
    split = pd.read_csv(with_val / "split.csv")
    wrong = split["image_id"].isin(["v0", "v9", "v18"])  # without errors, no confidence is too high
    split.loc[wrong, "scientificName"] = [WRONG_LABEL[name] for name in split.loc[wrong, "scientificName"]]
    split.to_csv(with_val / "split.csv", index=False)
    assert calibrate(_make_probe(with_val, logit_scale=100), device="cpu").info.calibration.temperature > 5


def _make_probe(run_folder: Path, *, logit_scale: float = 1.0) -> Path:
    """Make the run's head a linear probe of its images, with logits multiplied by ``logit_scale``."""
    run = Run.open(run_folder)
    bundle = read_bundle(run.bundle_folder)
    network = load_network(bundle)
    parts = []
    for part in ("train", "val"):
        parts.append(split_embeddings(run, part, network, device=torch.device("cpu")))
    train = parts[0].concatenate(augmented_copy_embeddings(run, network, device=torch.device("cpu")))
    probe = fit_probe_head(train, parts[1], network.taxa, balanced=True)
    replace(probe, head=probe.head.scaled(logit_scale)).load_into(network)
    write_bundle(run.bundle_folder, bundle.info, network.state_dict(), "# A probe\n")
    run.record(probe=LinearProbeInfo(shrinkage=probe.shrinkage, val_macro_f1=probe.val_macro_f1, seconds=0))
    return run_folder


def test_calibration_is_deterministic(with_val: Path) -> None:
    assert calibrate(with_val, device="cpu").info == calibrate(with_val, device="cpu").info


def test_evaluation_on_test_updates_the_model_card(with_val: Path) -> None:
    calibrate(with_val, device="cpu")
    evaluation = evaluate(with_val, device="cpu")
    card = (with_val / "bundle" / "MODEL_CARD.md").read_text()
    assert f"| macro-F1 | {evaluation.macro_f1:.3f} (" in card and "Not yet measured" not in card
    assert evaluation.bundle in card and [one.nominal_coverage for one in evaluation.prediction_sets] == [0.9, 0.95]
    assert evaluation.calibration is not None and evaluation.before_calibration is not None


def test_a_colour_not_in_training_is_an_unknown_taxon(with_val: Path) -> None:
    from tests.identify.small_bundle import coloured

    calibrate(with_val, device="cpu")
    for number in range(9, 13):  # four test images become yellow
        coloured((240, 230, 20), number).save(with_val.parent / "images" / f"{number}.png")
    evaluation = evaluate(with_val, device="cpu")
    assert evaluation.reasons.get("unknown_taxon", 0) >= 4


def test_a_run_without_validation_images_cannot_be_calibrated(run_folder: Path) -> None:
    with pytest.raises(RunError, match="has no validation image"):
        calibrate(run_folder, device="cpu")


def test_reference_specimens_are_the_nearest_of_a_taxon_one_for_each_gathering(with_val: Path) -> None:
    bundle = calibrate(with_val, device="cpu")
    references = ReferenceSpecimens.of_bundle(bundle)
    found = references.nearest(references.training.features[0], [int(references.training.labels[0])], count=5)
    assert found[0].similarity == pytest.approx(1, abs=1e-3) and found[0].image_id == references.rows[0]["image_id"]
    gathering_of = {row["image_id"]: row["gathering_id"] for row in references.rows}
    gatherings = [gathering_of[one.image_id] for one in found]
    assert len(set(gatherings)) == len(gatherings)
    assert all(one.scientific_name == found[0].scientific_name for one in found)
    assert not {"recordedBy", "identifiedBy"} & set(references.rows[0])


def test_a_wrong_label_is_found_by_its_neighbours_and_written_as_darwin_core(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    centres = np.eye(3, 12) * 3
    labels = np.repeat([0, 1, 2], 20)
    features = centres[labels] + random.normal(0, 0.3, (60, 12))
    given = labels.copy()
    given[5] = 2  # a sheet of the first taxon with the name of the third
    names, ids = ["A a", "B b", "C c"], [f"i{n}" for n in range(60)]
    training = TrainingFeatures.of(features, given)
    found = find_label_issues(training, names, ids, ids)
    assert [(one.image_id, one.determination, one.suggestion, one.votes) for one in found] == [("i5", "C c", "A a", 5)]
    one_gathering = find_label_issues(training, names, ids, ["same"] * 60)
    assert one_gathering == []
    specimens = [{"image_id": image, "catalogNumber": f"K{number}"} for number, image in enumerate(ids)]
    write_label_issues(found, tmp_path / "list.csv", specimens, identifier="small@1", caution="A hint.")
    table = pd.read_csv(tmp_path / "list.csv")
    assert table["scientificName"].tolist() == ["A a"] and table["catalogNumber"].tolist() == ["K5"]
    assert "A hint." in table["identificationRemarks"][0]


def test_a_calibrated_bundle_gives_prediction_sets_and_rejects_unknown_taxa(with_val: Path) -> None:
    from leafid.identify import Identifier, Status
    from tests.identify.small_bundle import coloured

    calibrate(with_val, device="cpu")
    coloured((240, 230, 20), 1).save(with_val.parent / "yellow.png")
    identifier = Identifier.load(with_val, device="cpu")
    images = [with_val.parent / "images" / f"v{number}.png" for number in range(24)]
    *known, unknown = identifier.identify([*images, with_val.parent / "yellow.png"])
    assert sum(record.reason == "unknown_taxon" for record in known) <= 2  # 95 % of val are accepted
    assert all(record.prediction_set[0].scientific_name == record.candidates[0].scientific_name for record in known)
    assert unknown.status is Status.UNDETERMINED and unknown.reason == "unknown_taxon"
    assert unknown.scientific_name is None and unknown.candidates and unknown.bundle == identifier.info.identifier
