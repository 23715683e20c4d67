"""Logits of files: their order, their failures, and that batches do not matter."""

from pathlib import Path

import numpy as np
import pytest
import torch

from leafid.bundle import read_bundle
from leafid.errors import FailureReason, UsageError
from leafid.learning import Run, choose_device, logits_of, network_of

CPU = torch.device("cpu")


def test_batch_of_one_equals_batch_of_many(trained: Run) -> None:
    bundle = read_bundle(trained.folder)
    network, paths = network_of(bundle), trained.image_paths(trained.split)
    one = logits_of(network, paths, bundle.info.preprocessing, device=CPU, batch_size=1, workers=0)
    many = logits_of(network, paths, bundle.info.preprocessing, device=CPU, batch_size=16, workers=2)
    assert one.values.shape == (40, 2)
    np.testing.assert_allclose(one.values, many.values, rtol=1e-4, atol=1e-5)


def test_files_that_cannot_be_read_are_failures_in_their_place(trained: Run, tmp_path: Path) -> None:
    bundle = read_bundle(trained.folder)
    good = trained.image_paths(trained.split)[:3]
    (tmp_path / "notes.jpg").write_text("not an image")
    paths = [tmp_path / "gone.jpg", good[0], tmp_path / "notes.jpg", good[1], good[2]]
    calls: list[tuple[int, int]] = []
    for workers in (0, 1):
        result = logits_of(
            network_of(bundle),
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
        assert np.isnan(result.values).all(axis=1).tolist() == [True, False, True, False, False]
    assert calls[-1] == (5, 5)


def test_no_files_no_logits(trained: Run) -> None:
    bundle = read_bundle(trained.folder)
    assert logits_of(network_of(bundle), [], bundle.info.preprocessing, device=CPU).values.shape == (0, 2)


def test_devices() -> None:
    assert choose_device("cpu") == CPU
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(UsageError, match="no device 'tpu'"):
        choose_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="no device 'cuda'"):
            choose_device("cuda")
