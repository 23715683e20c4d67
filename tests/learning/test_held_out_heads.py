"""Heads that fine-tuning looks through: each image is seen through one that was solved without its gathering."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from leafid.learning import Run, build_network, train
from leafid.learning.fine_tuning.checkpoints import LAST, read_checkpoint
from leafid.learning.linear_probe.held_out_heads import HeldOutHeads
from leafid.learning.models.backbones import network_spec

from .conftest import MakeJob

TAXA, PER_TAXON, FEATURES = 5, 8, 60
LABELS = np.repeat(np.arange(TAXA), PER_TAXON)


def _noise() -> np.ndarray:
    """Features that tell nothing about taxa."""
    return np.random.default_rng(0).normal(size=(len(LABELS), FEATURES)).astype(np.float32)


def _heads(gatherings: list[str], factor: float = 1.0) -> HeldOutHeads:
    return HeldOutHeads(LABELS, gatherings, TAXA, balanced=True, scale_of=lambda logits, labels: factor)


def _accuracy(heads: HeldOutHeads, embeddings: np.ndarray) -> float:
    logits = heads.logits(torch.from_numpy(embeddings), torch.arange(len(LABELS)))
    return float((logits.argmax(dim=1).numpy() == LABELS).mean())


def test_features_that_tell_nothing_look_as_bad_as_they_are() -> None:
    """The head of all images names them all by heart; held-out heads guess."""
    embeddings, heads = _noise(), _heads([f"g{number}" for number in range(len(LABELS))])
    of_all = heads.solve(embeddings)
    assert (of_all.logits(embeddings).argmax(axis=1) == LABELS).mean() > 0.9
    assert _accuracy(heads, embeddings) < 0.5


def test_images_of_one_gathering_are_left_out_together() -> None:
    """Two photos of a plant are alike; through a head that has seen one of them, the other would be named rightly."""
    pairs = np.repeat(_noise()[::2], 2, axis=0)
    together = _heads([f"g{number // 2}" for number in range(len(LABELS))])
    together.solve(pairs)
    assert _accuracy(together, pairs) < 0.5


def test_a_taxon_of_one_gathering_is_seen_through_the_head_of_all() -> None:
    gatherings = ["only" if label == 0 else f"g{number}" for number, label in enumerate(LABELS)]
    embeddings, heads = _noise(), _heads(gatherings)
    of_all = heads.solve(embeddings)
    seen = heads.logits(torch.from_numpy(embeddings), torch.arange(len(LABELS))).numpy()
    np.testing.assert_allclose(seen[LABELS == 0], of_all.logits(embeddings)[LABELS == 0], rtol=1e-3, atol=1e-3)
    assert not np.allclose(seen[LABELS == 1], of_all.logits(embeddings)[LABELS == 1], atol=1e-3)


def test_logits_have_the_scale_that_suits_the_loss() -> None:
    embeddings, one, half = _noise(), *(_heads([f"g{n}" for n in range(len(LABELS))], factor) for factor in (1.0, 0.5))
    heads = [one.solve(embeddings), half.solve(embeddings)]
    np.testing.assert_array_equal(heads[0].weight, heads[1].weight)  # the head of all keeps its own
    seen = [each.logits(torch.from_numpy(embeddings), torch.arange(len(LABELS))) for each in (one, half)]
    torch.testing.assert_close(seen[1], seen[0] / 2)


class _Interrupted(Exception):
    pass


def test_heads_are_solved_anew_after_each_epoch_and_survive_an_interruption(make_job: MakeJob, tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = tmp_path / "weights.pth"
    torch.save(build_network(network_spec(make_job().model), taxa=2).state_dict(), weights)
    job = make_job(model={"weights": str(weights)}, max_epochs=2, learning_rate=3e-3)

    def interrupt(epoch: int, score: float) -> None:
        raise _Interrupted

    def heads(run: Run) -> torch.Tensor:
        return torch.stack([weight for weight, _ in read_checkpoint(run.checkpoints / LAST)["held_out_heads"]])

    with pytest.raises(_Interrupted):
        train(job, run=tmp_path / "interrupted", on_epoch=interrupt)
    resumed, whole = (
        train(job, run=tmp_path / name, resume=name == "interrupted") for name in ("interrupted", "whole")
    )
    assert torch.equal(heads(resumed), heads(whole))
    losses = pd.read_csv(whole.folder / "metrics.csv")["train_loss"].tolist()
    assert losses == pd.read_csv(resumed.folder / "metrics.csv")["train_loss"].tolist()
    assert len(losses) == 2
