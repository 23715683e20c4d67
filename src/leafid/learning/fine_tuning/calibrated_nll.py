"""The negative log-likelihood of val at its best temperature, by which epochs are ranked."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from leafid.learning.temperature import fit_temperature


class CalibratedNll(Metric):
    """Mean negative log-likelihood of images, in nats, after temperature scaling.

    A bundle is calibrated after training, so networks are compared as they are then; the temperature that suits the
    training loss does not matter.

    Args:
        trained: (T,), whether a taxon has training images. Images of other taxa do not count.
    """

    higher_is_better = False
    full_state_update = False
    logits: list[Tensor]
    labels: list[Tensor]

    def __init__(self, trained: Tensor) -> None:
        super().__init__()
        self.trained = trained
        self.add_state("logits", [], dist_reduce_fx="cat")
        self.add_state("labels", [], dist_reduce_fx="cat")

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Add images: logits (N, T) and labels (N,)."""
        self.logits.append(logits.detach())
        self.labels.append(labels)

    def compute(self) -> Tensor:
        """Return the likelihood of all images."""
        logits, labels = dim_zero_cat(self.logits).cpu(), dim_zero_cat(self.labels).cpu()
        counted = self.trained[labels]
        if not counted.any():  # then all networks are equally good
            return torch.tensor(0.0)
        _, nll = fit_temperature(logits[counted].numpy(), labels[counted].numpy())
        return torch.tensor(nll, dtype=torch.float32)
