"""The probe: the best linear head on the features of the frozen network, in closed form.

Linear discriminant analysis with a shrunk covariance: each taxon is a prototype, and distances are measured where
sheets of one taxon differ little. With eight sheets per taxon it does better than logistic regression and than cosine
prototypes (*Viola*, whole plants at 448 pixels, five folds: macro-F1 0.51, 0.46 and 0.34).
"""

import hashlib
import io
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from leafid.files import written_atomically
from leafid.learning.data.augmentation import AUGMENTATION
from leafid.learning.data.samples import Samples, collate
from leafid.learning.linear_probe.folds import fewest_training_images
from leafid.learning.models.batch_norm_fusion import fuse_batch_norm
from leafid.learning.models.network import Network
from leafid.progress import progress_bar

LabelledEmbeddings = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Embeddings (N, F) and labels (N,)."""

SHRINKAGES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9)
"""How much of the covariance is replaced by that of a sphere; tried in turn."""

EXCLUDED_LOGIT = -1e6
"""Bias of a taxon that must not be the answer; finite, so that losses stay finite."""

IMAGES_AT_ONCE = 8


class LinearHead(NamedTuple):
    """Weights (T, F) and biases (T,)."""

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the logits (N, T) of embeddings (N, F)."""
        logits: NDArray[np.float64] = embeddings @ self.weight.T + self.bias
        return logits

    def scaled(self, factor: float) -> "LinearHead":
        """Return the head whose logits are these times a factor."""
        return LinearHead(self.weight * factor, self.bias * factor)


@dataclass(frozen=True)
class LinearProbe:
    """A linear head, and how it was chosen.

    Attributes:
        head: its weights and biases.
        shrinkage: the one of ``SHRINKAGES`` under which images that it was not fitted to are most likely.
        val_macro_f1: macro-F1 on val.
    """

    head: LinearHead
    shrinkage: float
    val_macro_f1: float

    def load_into(self, network: Network) -> None:
        """Make it the head of a network."""
        layer = network.last_linear
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(self.head.weight))
            layer.bias.copy_(torch.from_numpy(self.head.bias))


def fit_probe_head(
    train: LabelledEmbeddings,
    val: LabelledEmbeddings,
    taxa: int,
    *,
    balanced: bool,
    copies: LabelledEmbeddings | None = None,
    folds: NDArray[np.int64] | None = None,
) -> LinearProbe:
    """Fit the head on train, choose its shrinkage and the scale of its logits on val and on train out of fold.

    The scale divides all logits, so that their softmax is as sure as it is right; the answers do not depend on it. Val
    alone says little of either where it is all right.

    Args:
        train: more images than taxa.
        val: at least one image.
        taxa: T. A taxon without a training image is never the answer.
        balanced: all taxa are equally probable beforehand; otherwise as frequent as in train.
        copies: augmented copies of train, from ``augmented_copy_embeddings``, to which the head is fitted, too.
        folds: (N,), the fold of each image of train; each is judged by a head that was fitted to the others. None, and
            where the others are too few: val alone decides.
    """
    from sklearn.metrics import f1_score

    last = ShrunkLda(*concatenated(train, copies), taxa, balanced=balanced)
    judged = [(last, val)]
    if folds is not None and fewest_training_images(folds) > taxa:
        judged += [
            (ShrunkLda(*excluding(train, copies, folds == fold), taxa, balanced=balanced), subset(train, folds == fold))
            for fold in np.unique(folds)
        ]
    # Of a taxon that it has not learnt, a head can say nothing.
    learnt = [(fitted, subset(images, fitted.known[images[1]])) for fitted, images in judged]
    if any(len(labels) for _, (_, labels) in learnt):
        judged = learnt
    truth = np.concatenate([labels for _, (_, labels) in judged])
    candidates = []
    for shrinkage in SHRINKAGES:
        logits = [fitted.head(shrinkage).logits(embeddings) for fitted, (embeddings, _) in judged]
        scale, loss = _scale(np.concatenate(logits), truth)
        head = last.head(shrinkage)
        score = float(f1_score(val[1], head.logits(val[0]).argmax(axis=1), average="macro", zero_division=0))
        candidates.append((loss, LinearProbe(head.scaled(1 / scale), shrinkage, score)))
    return min(candidates, key=lambda candidate: candidate[0])[1]


def subset(images: LabelledEmbeddings, chosen: NDArray[np.bool_]) -> LabelledEmbeddings:
    """Take some of the images."""
    return images[0][chosen], images[1][chosen]


def excluding(
    images: LabelledEmbeddings, copies: LabelledEmbeddings | None, left_out: NDArray[np.bool_]
) -> LabelledEmbeddings:
    """Put images and their copies together, without some of the images (N,) and without the copies of these."""
    kept = subset(images, ~left_out)
    return concatenated(kept, copies and subset(copies, np.tile(~left_out, len(copies[1]) // len(images[1]))))


def concatenated(images: LabelledEmbeddings, copies: LabelledEmbeddings | None) -> LabelledEmbeddings:
    """Put images and their augmented copies together."""
    if copies is None:
        return images
    return np.concatenate([images[0], copies[0]]), np.concatenate([images[1], copies[1]])


def compute_embeddings(
    network: Network, samples: Samples, *, device: torch.device, workers: int
) -> NDArray[np.float32]:
    """Return the embeddings (N, F) of images by the network as it is, from the store where they were made before.

    Args:
        network: the network; it is used as if in eval mode, and stays as it is.
        samples: the images with all their views.
        device: where to compute.
        workers: processes that read views.
    """
    path = samples.store.folder / f"embeddings-{_digest(network, samples)}.npy"
    if path.is_file():
        known: NDArray[np.float32] = np.load(path, allow_pickle=False)
        if len(known) == len(samples):
            return known
    loader = DataLoader(samples, batch_size=IMAGES_AT_ONCE, collate_fn=collate, num_workers=workers)
    answering, rows = fuse_batch_norm(network, device), []
    with torch.inference_mode(), progress_bar("Features") as on_progress:
        for batch in loader:
            rows.append(answering(batch.bags.to(device)).embeddings.float().cpu().numpy())
            on_progress(sum(map(len, rows)), len(samples))
    embeddings = np.concatenate(rows)
    content = io.BytesIO()
    np.save(content, embeddings, allow_pickle=False)
    with written_atomically(path) as temporary:
        temporary.write_bytes(content.getvalue())
    return embeddings


class ShrunkLda:
    """Linear lda under any shrinkage, from one decomposition of the scatter within taxa.

    The same as scikit-learn's ``LinearDiscriminantAnalysis(solver="lsqr", shrinkage=...)``, which inverts the
    covariance anew for each shrinkage: with 1,280 features that takes seconds, a hundred times as long.
    """

    def __init__(
        self, embeddings: NDArray[np.float32], labels: NDArray[np.int64], taxa: int, *, balanced: bool
    ) -> None:
        values = embeddings.astype(np.float64)
        counts = np.bincount(labels, minlength=taxa)
        self.known = counts > 0
        self.means = np.zeros((taxa, values.shape[1]))
        np.add.at(self.means, labels, values)
        self.means[self.known] /= counts[self.known, None]
        self.priors = self.known / self.known.sum() if balanced else counts / counts.sum()
        # Each image weighs as much as its taxon does, divided by the images of the taxon.
        weights = np.sqrt((self.priors / np.maximum(counts, 1))[labels])
        self.variances, self.axes = _principal((values - self.means[labels]) * weights[:, None])
        self.mean_variance = self.variances.sum() / values.shape[1]

    def head(self, shrinkage: float) -> LinearHead:
        """Return the head; a taxon without a training image is never its answer."""
        sphere = shrinkage * self.mean_variance
        along = self.means @ self.axes.T
        inside = along * (1 / ((1 - shrinkage) * self.variances + sphere) - 1 / sphere)
        weight = self.means / sphere + inside @ self.axes
        with np.errstate(divide="ignore"):
            bias = -0.5 * (weight * self.means).sum(axis=1) + np.log(self.priors)
        bias[~self.known] = EXCLUDED_LOGIT
        return LinearHead(weight, bias)


def _principal(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return variances (R,) and axes (R, F) of rows (N, F) around 0, those without variance left out.

    By the smaller of the two products of the rows: a singular value decomposition of 3,000 rows of 4,656 numbers takes
    a minute, this takes seconds.
    """
    wide = len(rows) <= rows.shape[1]
    variances, vectors = np.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)
    some = variances > 1e-12 * variances[-1]
    variances, vectors = variances[some], vectors[:, some]
    return variances, (vectors / np.sqrt(variances)).T @ rows if wide else vectors.T


def _scale(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Return the number, at least 1, by which logits are divided best, and the mean negative log-likelihood then.

    At least 1: few images of val may all be right, and would then be best explained by endless certainty.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    def loss(log_scale: float) -> float:
        return float(-log_softmax(logits / np.exp(log_scale), axis=1)[np.arange(len(labels)), labels].mean())

    found = minimize_scalar(loss, bounds=(0.0, 10.0), method="bounded")
    return float(np.exp(found.x)), float(found.fun)


def _digest(network: Network, samples: Samples) -> str:
    """Name what embeddings depend on beside the stored views: network, weights, images, and what is done to views."""
    digest = hashlib.sha256(network.spec.model_dump_json().encode())
    for name, value in network.state_dict().items():
        if not name.startswith("head."):
            digest.update(name.encode() + value.cpu().numpy().tobytes())
    digest.update("\n".join(samples.image_ids).encode())
    if samples.copy:
        digest.update(f"{samples.augmentation} {AUGMENTATION} {samples.copy}".encode())
    return digest.hexdigest()[:16]
