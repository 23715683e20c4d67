"""A complete training: what it learns, what it writes, what it refuses."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

from leafid.bundle import read_bundle
from leafid.errors import CatalogError, OutputError, RunError, SplitError, UsageError
from leafid.files import exclusive_lock
from leafid.learning import Bags, Run, build_network, load_network, predict_files, train
from leafid.learning.fine_tuning.checkpoints import START, checkpoint_rank, network_state, read_checkpoint
from leafid.learning.models.network import head_logits
from leafid.learning.run_samples import split_embeddings
from leafid.learning.run_start import check_run_folder
from leafid.learning.temperature import fit_temperature
from leafid.trust import evaluate

from .conftest import MakeJob


@pytest.fixture(scope="module")
def well_trained(make_job: MakeJob, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run that was trained long enough to distinguish the taxa, on any CPU."""
    return train(make_job(max_epochs=20, patience=20), run=tmp_path_factory.mktemp("runs") / "well")


def test_training_learns_to_distinguish_broad_from_narrow_leaves(well_trained: Run) -> None:
    rows = well_trained.split
    bundle = read_bundle(well_trained.bundle_folder)
    paths, labels = well_trained.image_paths(rows), bundle.info.taxonomy.labels(list(rows["scientificName"]))
    predictions = predict_files(
        load_network(bundle), paths, bundle.info.preprocessing, device=torch.device("cpu"), workers=0
    )
    assert (predictions.logits.argmax(axis=1) == labels).mean() >= 0.75  # by chance once in a thousand times


def test_a_run_folder_has_all_that_is_needed_to_repeat_it(trained: Run, data: Path) -> None:
    again = Run.open(trained.folder)
    assert again.job == trained.job
    assert again.info == trained.info
    assert again.info.state == "finished"
    assert again.info.steps == 15
    assert again.info.catalog == data / "catalog.csv"
    assert len(again.info.catalog_sha256) == 64
    assert again.info.versions["torch"] == torch.__version__.partition("+")[0]
    metrics = pd.read_csv(trained.folder / "metrics.csv")
    assert list(metrics["epoch"]) == [1, 2, 3, 4, 5]
    assert metrics["steps"].iloc[-1] == 15
    assert (metrics["images_per_s"] > metrics["steps"].iloc[-1] / metrics["seconds"].sum()).all()  # 8 images a step
    best = int(metrics["val_nll"].round(3).to_numpy().argmin())
    assert again.info.best_epoch == metrics["epoch"][best]
    assert again.info.val_macro_f1 == pytest.approx(metrics["val_macro_f1"][best], abs=1e-6)
    assert (trained.folder / "training.png").stat().st_size > 1000
    assert any((trained.folder / "logs").rglob("events.out.tfevents.*"))
    assert any((trained.folder / "logs").rglob("metrics.csv"))


def test_validation_judges_the_averaged_network_that_is_kept(trained: Run) -> None:
    """Not the network of the last step, nor that of an earlier epoch."""
    metrics = pd.read_csv(trained.folder / "metrics.csv")
    val = split_embeddings(trained, "val", load_network(read_bundle(trained.folder)), device=torch.device("cpu"))
    logits = head_logits(load_network(read_bundle(trained.folder)), val.embeddings)
    nll = fit_temperature(logits, val.labels)[1]
    best = metrics["epoch"] == trained.info.best_epoch
    assert nll == pytest.approx(metrics.loc[best, "val_nll"].item(), abs=1e-4)


def test_epochs_are_ranked_by_their_likelihood_on_val() -> None:
    assert checkpoint_rank(1.0) > checkpoint_rank(1.1)
    assert checkpoint_rank(1.0) == checkpoint_rank(1.0001)  # rounding errors


def test_a_bundle_has_provenance_and_a_model_card(trained: Run) -> None:
    bundle = read_bundle(trained.folder)
    provenance = bundle.info.provenance
    assert provenance.images == {"train": 24, "val": 8, "test": 8}
    assert provenance.gatherings == {"train": 24, "val": 8, "test": 8}
    assert provenance.catalog_sha256 == trained.info.catalog_sha256
    assert provenance.best_epoch == trained.info.best_epoch
    assert bundle.info.taxonomy.names == ("Viola alba", "Viola biflora")
    assert bundle.info.decision.min_probability == trained.job.trust.min_probability
    card = (bundle.folder / "MODEL_CARD.md").read_text()
    assert "| Viola alba | 12 | 4 | 4 |" in card
    assert all(statement in card for statement in bundle.info.trained_on.long)
    assert "The bundle knows 2 taxa only, from 32 drawings." in card
    assert "None" not in card


def test_a_bundle_gives_the_logits_of_the_trained_network(trained: Run) -> None:
    bundle = read_bundle(trained.bundle_folder)
    network = build_network(bundle.info.network, taxa=2)
    network.load_state_dict(network_state(read_checkpoint(trained.checkpoints / "best.ckpt")))
    pixels = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    with torch.inference_mode():
        bags = Bags.of_single_views(pixels)
        assert torch.equal(network.eval()(bags).logits, load_network(bundle)(bags).logits)


def test_checkpoints_contain_plain_data(trained: Run) -> None:
    for name in ("best.ckpt", "last.ckpt"):
        assert torch.load(trained.checkpoints / name, weights_only=True)["state_dict"]


def test_the_same_job_gives_the_same_weights(trained: Run, make_job: MakeJob, tmp_path: Path) -> None:
    again = train(make_job(), run=tmp_path / "again")
    assert again.info.val_macro_f1 == trained.info.val_macro_f1
    before, now = read_bundle(trained.folder).tensors(), read_bundle(again.folder).tensors()
    assert all(torch.equal(before[name], now[name]) for name in before)


def test_another_seed_gives_other_weights(trained: Run, make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job(max_epochs=1).model_copy(update={"seed": 8})
    other = read_bundle(train(job, run=tmp_path / "other").folder).tensors()
    assert not torch.equal(other["head.1.weight"], read_bundle(trained.folder).tensors()["head.1.weight"])


@pytest.fixture(scope="module")
def weights(well_trained: Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Weights of a network that distinguishes the taxa."""
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.save(read_bundle(well_trained.folder).tensors(), path)
    return str(path)


def test_a_probe_changes_only_the_head(weights: str, make_job: MakeJob, tmp_path: Path) -> None:
    run = train(make_job(model={"weights": weights}, mode="probe"), run=tmp_path / "run")
    learned, before = read_bundle(run.folder).tensors(), torch.load(weights)
    backbone = [name for name in before if name.startswith("backbone.")]
    assert all(torch.equal(learned[name], before[name]) for name in backbone)
    assert not torch.equal(learned["head.1.weight"], before["head.1.weight"])
    assert (run.info.state, run.info.steps, run.info.best_epoch) == ("finished", 0, 0)
    of_train = train(make_job(model={"weights": weights}, mode="probe", refit=False), run=tmp_path / "of train")
    assert run.info.probe is not None and of_train.info.probe is not None
    assert (run.info.probe.refitted, of_train.info.probe.refitted) == (True, False)
    assert run.info.val_macro_f1 == of_train.info.val_macro_f1
    with pytest.raises(UsageError, match=r"was fitted to val too .* use `leafid crossvalidate`"):
        evaluate(run.folder, on="val")
    assert evaluate(of_train.folder, on="val").images == 8
    assert not torch.equal(read_bundle(of_train.folder).tensors()["head.1.weight"], learned["head.1.weight"])
    assert run.info.probe is not None and run.info.probe.val_macro_f1 > 0.6
    assert run.info.probe.val_macro_f1 == run.info.val_macro_f1
    assert train(make_job(model={"weights": weights}, mode="probe"), run=run.folder, resume=True).info == run.info


def test_a_probe_is_also_fitted_to_augmented_copies(weights: str, make_job: MakeJob, tmp_path: Path) -> None:
    heads = []
    for copies in (0, 2):
        run = train(
            make_job(model={"weights": weights}, mode="probe", probe_augmented_copies=copies),
            run=tmp_path / str(copies),
        )
        heads.append(read_bundle(run.folder).tensors()["head.1.weight"])
    assert heads[0].shape == heads[1].shape
    assert not torch.allclose(heads[0], heads[1])


def test_fine_tuning_starts_from_the_probe_and_keeps_it_when_nothing_is_better(
    weights: str, make_job: MakeJob, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_job(model={"weights": weights}, max_epochs=1, learning_rate=1e-9, refit=False)
    run = train(job, run=tmp_path / "run")
    printed = capsys.readouterr().err
    assert "epoch 1/1" in printed and "best so far" not in printed
    assert run.info.probe is not None
    assert run.info.best_epoch == 0 and run.info.val_macro_f1 == run.info.probe.val_macro_f1
    metrics = pd.read_csv(run.folder / "metrics.csv")
    assert len(metrics) == 1
    assert run.info.kept == "probe" and not run.info.fine_tuned
    kept, start = read_bundle(run.folder).tensors(), network_state(read_checkpoint(run.checkpoints / START))
    assert kept.keys() == start.keys()
    for name, value in start.items():
        torch.testing.assert_close(kept[name], value, msg=name)


def test_a_probe_of_random_weights_is_refused(make_job: MakeJob) -> None:
    with pytest.raises(ValueError, match="probe needs pretrained weights"):
        make_job(mode="probe")


def test_stops_early_when_val_does_not_rise(make_job: MakeJob, tmp_path: Path) -> None:
    run = train(make_job(learning_rate=1e-12, augmentation="none", max_epochs=9, patience=2), run=tmp_path / "run")
    assert len(pd.read_csv(run.folder / "metrics.csv")) < 9
    assert run.info.state == "finished"


def test_an_existing_training_is_not_overwritten(trained: Run, make_job: MakeJob) -> None:
    before = (trained.folder / "run.json").read_bytes()
    with pytest.raises(RunError, match=r"is a finished run.*--out"):
        train(make_job(), run=trained.folder)
    assert (trained.folder / "run.json").read_bytes() == before


def test_two_trainings_never_write_one_run(make_job: MakeJob, tmp_path: Path) -> None:
    with (
        exclusive_lock(tmp_path / ".run.lock", "busy"),
        pytest.raises(OutputError, match=r"being written by another training.*--out"),
    ):
        train(make_job(), run=tmp_path / "run")
    assert not (tmp_path / "run").exists() and not (tmp_path / ".run.lock").exists()


def test_a_folder_with_other_files_is_refused(make_job: MakeJob, tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(OutputError, match="was not written by this command of leafid"):
        train(make_job(), run=tmp_path)


def test_a_gathering_in_train_and_val_is_refused(make_job: MakeJob, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data, folder, ignore=shutil.ignore_patterns("prepared"))
    catalog = folder / "catalog.csv"
    catalog.write_text(catalog.read_text().replace("gathering 30", "gathering 0"))
    job = make_job()
    job = job.model_copy(update={"output": job.output.model_copy(update={"data": folder})})
    with pytest.raises(SplitError, match="gathering 0"):
        train(job, run=tmp_path / "run")


def test_without_a_catalog_the_message_names_the_command_that_makes_one(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job()
    job = job.model_copy(update={"output": job.output.model_copy(update={"data": tmp_path})})
    with pytest.raises(CatalogError, match="leafid collect"):
        train(job, run=tmp_path / "run")


def test_all_images_that_cannot_be_read_are_listed(make_job: MakeJob, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data, folder, ignore=shutil.ignore_patterns("prepared"))
    (folder / "3.png").unlink()
    (folder / "5.png").write_bytes((folder / "5.png").read_bytes()[:200])
    job = make_job(workers=1)
    job = job.model_copy(update={"output": job.output.model_copy(update={"data": folder})})
    with pytest.raises(RunError, match="2 images of the catalog cannot be read") as caught:
        train(job, run=tmp_path / "run")
    assert "3.png: missing" in str(caught.value)
    assert "5.png: truncated" in str(caught.value)


def test_a_damaged_prepared_view_is_named_without_a_traceback(make_job: MakeJob, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data, folder, ignore=shutil.ignore_patterns("prepared"))
    job = make_job(workers=1, max_epochs=1)
    job = job.model_copy(update={"output": job.output.model_copy(update={"data": folder})})
    train(job, run=tmp_path / "first")
    for path in (folder / "prepared").rglob(f"{3:016x}.*"):
        path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(RunError, match=f"of image {3:016x} cannot be read") as caught:
        train(job, run=tmp_path / "second")
    assert "Traceback" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_opening_something_else_than_a_run_explains_the_mistake(tmp_path: Path, trained: Run) -> None:
    with pytest.raises(RunError, match="does not exist"):
        Run.open(tmp_path / "nowhere")
    with pytest.raises(RunError, match="is not a run of leafid"):
        Run.open(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"state": "finished"}))
    with pytest.raises(RunError, match="damaged"):
        Run.open(tmp_path)


def test_a_folder_with_a_job_of_the_user_is_not_taken_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("name: mine\n")
    with pytest.raises(OutputError, match="never replaced"):
        check_run_folder(tmp_path)
    (tmp_path / "split.csv").write_text("image_id\n")  # a training that ended while it wrote its first files
    check_run_folder(tmp_path)
