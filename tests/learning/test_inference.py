"""Predictions of files: their order, failures, and independence of batches."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from leafid.bundle import read_bundle
from leafid.errors import FailureReason, UsageError
from leafid.jobs import Preprocessing, ViewCounts
from leafid.learning import Bags, Run, choose_device, load_network, predict_files
from leafid.sheets import prepare_file
from tests.sheets.test_preparation import sheet

CPU = torch.device("cpu")


def test_batch_of_one_equals_batch_of_many(trained: Run) -> None:
    bundle = read_bundle(trained.folder)
    network, paths = load_network(bundle), trained.image_paths(trained.split)
    one = predict_files(network, paths, bundle.info.preprocessing, device=CPU, batch_size=1, workers=0)
    many = predict_files(network, paths, bundle.info.preprocessing, device=CPU, batch_size=16, workers=2)
    assert one.logits.shape == (40, 2)
    np.testing.assert_allclose(one.logits, many.logits, rtol=1e-4, atol=1e-5)


def test_bags_of_unequal_size_do_not_depend_on_the_batch(trained: Run, tmp_path: Path) -> None:
    network = load_network(read_bundle(trained.folder))
    paths = [tmp_path / f"{leaves}.png" for leaves in (1, 3, 2)]
    for path in paths:
        Image.fromarray(sheet(int(path.stem))).save(path)
    wanted = Preprocessing(size=32, views=ViewCounts(plant=1, leaves=3))
    one = predict_files(network, paths, wanted, device=CPU, batch_size=1, workers=0).logits
    many = predict_files(network, paths, wanted, device=CPU, batch_size=3, workers=1).logits
    np.testing.assert_allclose(one, many, rtol=1e-4, atol=1e-5)
    with torch.inference_mode():
        views = torch.from_numpy(np.stack(prepare_file(paths[1], wanted).views)).permute(0, 3, 1, 2)
        each = network(Bags.of_single_views(views)).logits
        # With attention weights of 0, the plant weighs as much as its three leaves together.
        network.pooling.score.weight.zero_()
        pooled = predict_files(network, paths, wanted, device=CPU, workers=0).logits
        np.testing.assert_allclose(pooled[1], (each[0] / 2 + each[1:].mean(0) / 2).numpy(), rtol=1e-4, atol=1e-5)


def test_files_that_cannot_be_read_are_failures_at_their_index(trained: Run, tmp_path: Path) -> None:
    bundle = read_bundle(trained.folder)
    good = trained.image_paths(trained.split)[:3]
    (tmp_path / "notes.jpg").write_text("not an image")
    paths = [tmp_path / "gone.jpg", good[0], tmp_path / "notes.jpg", good[1], good[2]]
    calls: list[tuple[int, int]] = []
    for workers in (0, 1):
        result = predict_files(
            load_network(bundle),
            paths,
            bundle.info.preprocessing,
            device=CPU,
            batch_size=1,
            workers=workers,
            on_progress=lambda done, total: calls.append((done, total)),
        )
        assert {index: error.reason for index, error in result.failures.items()} == {
            0: FailureReason.MISSING,
            2: FailureReason.NOT_AN_IMAGE,
        }
        assert np.isnan(result.logits).all(axis=1).tolist() == [True, False, True, False, False]
    assert calls[-1] == (5, 5)


def test_no_files_give_no_logits(trained: Run) -> None:
    bundle = read_bundle(trained.folder)
    assert predict_files(load_network(bundle), [], bundle.info.preprocessing, device=CPU).logits.shape == (0, 2)


def test_devices() -> None:
    assert choose_device("cpu") == CPU
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(UsageError, match="no device 'tpu'"):
        choose_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="no device 'cuda'"):
            choose_device("cuda")
