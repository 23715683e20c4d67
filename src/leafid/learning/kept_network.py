"""The choice of the network that a fine-tuning ends with, by its likelihood on val.

Candidates are the linear probe that fine-tuning started from, the fine-tuned network of the best epoch, averages of the
weights of both, and a probe fitted to the features of the fine-tuned network: features often survive where the head has
overfitted. Averages are often more accurate on other herbaria than either end (WiSE-FT: Wortsman et al. 2022, "Robust
fine-tuning of zero-shot models", CVPR).

The probe is judged as it would be shipped. Refitted to train and val (``training.refit``), it is far better than the
probe of train alone (docs/results.md), and no other candidate gains from the images of val.

Only val is used: the fine-tuned features know the labels of train, so that train is no held-out set for them, in any
fold. Every choice that a candidate needs (temperature, share of an average, shrinkage) is made on the other folds of
val, so that a candidate with more choices has no advantage.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leafid.learning.fine_tuning.checkpoints import checkpoint_rank
from leafid.learning.fine_tuning.lightning_compat import reraise_worker_errors
from leafid.learning.linear_probe.embeddings import LabelledEmbeddings
from leafid.learning.linear_probe.probe import LinearProbe, fit_probe_head, refitted_val_logits
from leafid.learning.models.backbones import network_spec
from leafid.learning.models.network import build_network, head_logits
from leafid.learning.run import KeptNetwork, Run
from leafid.learning.run_samples import Part, augmented_copy_embeddings, split_embeddings
from leafid.learning.temperature import fit_temperature, negative_log_likelihoods

Tensors = Mapping[str, Tensor]

TUNED_SHARES = (0.25, 0.5, 0.75)
"""Shares of the fine-tuned weights in an average; the rest is the start's."""

MIN_GAIN = 0.01
"""Nats per image by which a network must be better than the probe. Less is chance: a probe of the same features with
another shrinkage differs as much. And only of the probe is all that calibration fits fitted out of fold."""

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
    """

    name: KeptNetwork
    tensors: Tensors
    val_nll: float
    val_macro_f1: float


def choose_kept_network(run: Run, start: Tensors, tuned: Tensors, device: torch.device) -> Candidate:
    """Compare the candidates on val; record and print their likelihoods, and return the best.

    Args:
        run: a fine-tuning that started from a probe; ``logit_scale`` is recorded.
        start: the network before the first step.
        tuned: the network of the best epoch.
        device: where to compute.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    comparison = _Comparison(run, device)
    with reraise_worker_errors():
        candidates = [
            comparison.probe(probe_as_solved(start, run.info.logit_scale or 1.0)),
            comparison.candidate("averaged", [average_weights(start, tuned, share) for share in TUNED_SHARES]),
            comparison.candidate("fine-tuned", [tuned]),
            comparison.probe_of(tuned),
        ]
    # Of equal candidates the first is kept, which is nearer to the start.
    best = max(candidates, key=lambda candidate: checkpoint_rank(candidate.val_nll))
    if candidates[0].val_nll - best.val_nll < MIN_GAIN:
        best = candidates[0]
    run.record(kept=best.name, val_nll={each.name: round(each.val_nll, 4) for each in candidates})
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

    def candidate(self, name: KeptNetwork, options: Sequence[Tensors]) -> Candidate:
        """Return the best of several networks, and the likelihood with which such a choice predicts other images."""
        logits = []
        for tensors in options:
            images = self._embeddings("val", tensors, cached=name != "averaged")
            logits.append(head_logits(self.network, images.embeddings))
        counted, labels, folds = [each[self.counted] for each in logits], self.labels[self.counted], self.folds
        best, _ = best_option(counted, labels)
        nll = cross_validated_nll(counted, labels, folds[self.counted])
        return Candidate(name, options[best], nll, self._macro_f1(logits[best]))

    def probe(self, tensors: Tensors) -> Candidate:
        """Return the probe that training started from, judged as it would be shipped: refitted to train and val.

        Each image of val is then predicted by a probe that was fitted to all others. Macro-F1 is that before.
        """
        of_train = self.candidate("probe", [tensors])
        self.network.load_state_dict(tensors)
        refitted = refitted_val_logits(self.run, self.network, self.device)
        if not refitted:
            return of_train
        counted, labels = [each[self.counted] for each in refitted], self.labels[self.counted]
        return replace(of_train, val_nll=cross_validated_nll(counted, labels, self.folds[self.counted]))

    def probe_of(self, tensors: Tensors) -> Candidate:
        """Return the network with its head solved anew: fitted to train; shrinkage and temperature chosen on val."""
        val, train = (self._embeddings(part, tensors) for part in ("val", "train"))
        copies = augmented_copy_embeddings(self.run, self.network, device=self.device)
        balanced = self.run.job.training.balance != "none"

        def fit(chosen_on: NDArray[np.bool_]) -> LinearProbe:
            return fit_probe_head(train, val.subset(chosen_on), self.network.taxa, balanced=balanced, copies=copies)

        losses = np.empty(len(val))
        for held_out in held_out_masks(self.folds):
            others = ~held_out if (~held_out).any() else held_out
            logits = fit(others).head.logits(val.embeddings[held_out])
            losses[held_out] = negative_log_likelihoods(logits, val.labels[held_out])
        probe = fit(np.ones(len(val), dtype=bool))
        probe.load_into(self.network)
        solved = {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}
        name: KeptNetwork = "probe of the fine-tuned network"
        return Candidate(name, solved, float(losses[self.counted].mean()), probe.val_macro_f1)

    def _embeddings(self, part: Part, tensors: Tensors, *, cached: bool = True) -> LabelledEmbeddings:
        self.network.load_state_dict(tensors)
        return split_embeddings(self.run, part, self.network, device=self.device, cached=cached)

    def _macro_f1(self, logits: NDArray[np.float32]) -> float:
        from sklearn.metrics import f1_score

        return float(f1_score(self.labels, logits.argmax(axis=1), average="macro", zero_division=0))


def probe_as_solved(start: Tensors, scale: float) -> Tensors:
    """Return the network before its first step with the head's logits at the probe's own temperature."""
    return {name: value / scale if name.startswith("head.") else value for name, value in start.items()}


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
