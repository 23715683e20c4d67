"""The choice of the network that a fine-tuning ends with, by its likelihood on val.

Candidates are the linear probe that fine-tuning started from, the fine-tuned network of the best epoch, and the average
of the weights of both, which is often more accurate on other herbaria than either end (WiSE-FT: Wortsman et al. 2022,
"Robust fine-tuning of zero-shot models", CVPR). The head of each is solved for its features.

Each candidate is judged as it would be shipped: where the head is fitted to train and val at the end
(``training.refit``), each image of val is predicted by a head that was fitted to all others.

Only val is used: fine-tuned features know the labels of train. Shrinkage and temperature are chosen on the other folds
of val.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leafid.learning.fine_tuning.checkpoints import checkpoint_rank
from leafid.learning.fine_tuning.lightning_compat import reraise_worker_errors
from leafid.learning.linear_probe.embeddings import LabelledEmbeddings
from leafid.learning.linear_probe.held_out import SHRINKAGES
from leafid.learning.linear_probe.lda import ShrunkLda
from leafid.learning.linear_probe.probe import fit_probe_head, refitted_val_logits
from leafid.learning.models.backbones import network_spec
from leafid.learning.models.network import build_network, head_logits
from leafid.learning.run import KeptNetwork, Run
from leafid.learning.run_samples import PARTS, augmented_copy_embeddings, split_embeddings
from leafid.learning.temperature import fit_temperature, negative_log_likelihoods

Tensors = Mapping[str, Tensor]

TUNED_SHARE = 0.5
"""Share of the fine-tuned weights in the average; the rest is the start's."""

MIN_GAIN = 0.01
"""Nats per image by which a network must be better than the probe. Less is chance: a probe of the same features with
another shrinkage differs as much. And only of the probe can calibration use train, too."""

VAL_FOLDS = 5
"""Folds of val, at most."""


@dataclass(frozen=True)
class Candidate:
    """A network that may be kept.

    Attributes:
        name: what it is.
        tensors: of the network.
        val_nll: its mean negative log-likelihood on val, cross-validated, in nats.
        val_macro_f1: its macro-F1 on val.
        shrinkage: of its head.
    """

    name: KeptNetwork
    tensors: Tensors
    val_nll: float
    val_macro_f1: float
    shrinkage: float


def choose_kept_network(run: Run, start: Tensors, tuned: Tensors, device: torch.device) -> Candidate:
    """Compare the candidates on val; record and print their likelihoods, and return the best.

    Args:
        run: a fine-tuning that started from a probe.
        start: the network before the first step.
        tuned: the network of the best epoch.
        device: where to compute.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    comparison = _Comparison(run, device)
    with reraise_worker_errors():
        candidates = [
            comparison.candidate("probe", start),
            comparison.candidate("averaged", average_weights(start, tuned, TUNED_SHARE)),
            comparison.candidate("fine-tuned", tuned),
        ]
    # Of equal candidates the first is kept, which is nearer to the start.
    best = max(candidates, key=lambda candidate: checkpoint_rank(candidate.val_nll))
    if candidates[0].val_nll - best.val_nll < MIN_GAIN:
        best = candidates[0]
    assert run.info.probe is not None
    head = run.info.probe.model_copy(update={"shrinkage": best.shrinkage, "val_macro_f1": best.val_macro_f1})
    run.record(kept=best.name, probe=head, val_nll={each.name: round(each.val_nll, 4) for each in candidates})
    listed = ", ".join(f"{each.name} {each.val_nll:.3f}" for each in candidates)
    print(f"val NLL, cross-validated: {listed}; kept: {best.name}", file=sys.stderr)
    return best


class _Comparison:
    """Compares networks of one run on val."""

    def __init__(self, run: Run, device: torch.device) -> None:
        self.run = run
        self.device = device
        self.network = build_network(network_spec(run.job.model), len(run.info.taxonomy))
        rows = run.split
        train, val = (rows[rows["split"] == part] for part in ("train", "val"))
        known = np.array(val["scientificName"].isin(set(train["scientificName"])), dtype=bool)
        # No candidate knows a taxon without a training image.
        self.counted = known if known.any() else np.ones(len(val), dtype=bool)
        self.labels = np.array(run.info.taxonomy.labels(list(val["scientificName"])), dtype=np.int64)
        self.folds = gathering_folds(list(val["gathering_id"]))

    def candidate(self, name: KeptNetwork, tensors: Tensors) -> Candidate:
        """Return a network with its head solved for train; val chooses shrinkage and temperature of a fine-tuned one.

        Macro-F1 on val is that of this head.
        """
        assert self.run.info.probe is not None
        self.network.load_state_dict(tensors)
        shrinkage = self.run.info.probe.shrinkage
        train, val = (split_embeddings(self.run, part, self.network, device=self.device) for part in PARTS)
        if name != "probe":
            copies = augmented_copy_embeddings(self.run, self.network, device=self.device)
            balanced = self.run.job.training.balance != "none"
            probe = fit_probe_head(train, val, self.network.taxa, balanced=balanced, copies=copies)
            probe.load_into(self.network)
            shrinkage = probe.shrinkage
        options = [logits[self.counted] for logits in self._options(train, val)]
        nll = cross_validated_nll(options, self.labels[self.counted], self.folds[self.counted])
        solved = {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}
        macro_f1 = self._macro_f1(head_logits(self.network, val.embeddings))
        return Candidate(name, solved, nll, macro_f1, shrinkage)

    def _options(self, train: LabelledEmbeddings, val: LabelledEmbeddings) -> list[NDArray[np.float64]]:
        """Return the logits of val at each shrinkage, by heads as they would be shipped."""
        refitted = refitted_val_logits(self.run, self.network, self.device)
        if refitted:
            return refitted
        copies = augmented_copy_embeddings(self.run, self.network, device=self.device)
        lda = ShrunkLda(train, self.network.taxa, balanced=self.run.job.training.balance != "none", copies=copies)
        return [lda.head(shrinkage).logits(val.embeddings) for shrinkage in SHRINKAGES]

    def _macro_f1(self, logits: NDArray[np.float32]) -> float:
        from sklearn.metrics import f1_score

        return float(f1_score(self.labels, logits.argmax(axis=1), average="macro", zero_division=0))


def average_weights(start: Tensors, tuned: Tensors, share: float) -> Tensors:
    """Return the weights of two networks averaged, with this share of the tuned one's; integers are those of tuned."""
    return {
        name: torch.lerp(start[name], value, share) if value.is_floating_point() else value
        for name, value in tuned.items()
    }


def gathering_folds(gatherings: Sequence[str]) -> NDArray[np.int64]:
    """Return the fold (N,) of each image, from 0; images of one gathering are in one fold."""
    folds: NDArray[np.int64] = np.unique(gatherings, return_inverse=True)[1] % VAL_FOLDS
    return folds


def held_out_masks(folds: NDArray[np.int64]) -> Iterator[NDArray[np.bool_]]:
    """Yield for each fold the mask (N,) of its images."""
    for fold in np.unique(folds):
        yield folds == fold


def best_option(options: Sequence[NDArray[np.floating]], labels: NDArray[np.int64]) -> tuple[int, float]:
    """Return the index of the logits (N, T) with the highest likelihood after temperature scaling; the temperature."""
    fitted = [fit_temperature(logits, labels) for logits in options]
    best = min(range(len(options)), key=lambda index: fitted[index][1])
    return best, fitted[best][0]


def cross_validated_nll(
    options: Sequence[NDArray[np.floating]], labels: NDArray[np.int64], folds: NDArray[np.int64]
) -> float:
    """Return the mean negative log-likelihood of images whose option and temperature the other folds have chosen.

    Args:
        options: logits (N, T) of one or several networks.
        labels: (N,).
        folds: (N,); where there is only one fold, it chooses for itself.
    """
    losses = np.empty(len(labels))
    for held_out in held_out_masks(folds):
        others = ~held_out if (~held_out).any() else held_out
        best, temperature = best_option([logits[others] for logits in options], labels[others])
        losses[held_out] = negative_log_likelihoods(options[best][held_out] / temperature, labels[held_out])
    return float(losses.mean())
