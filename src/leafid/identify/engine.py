"""What turns views into logits. One interface, so that faster engines can stand in for torch."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Bundle


class Engine(Protocol):
    """Runs a network on views, and makes one answer of the views of each image."""

    def logits(self, views: NDArray[np.uint8], bags: Sequence[int]) -> NDArray[np.float32]:
        """Return logits (N, T), one row for each image.

        Args:
            views: (V, size, size, 3), RGB: the views of all images, one image after the other.
            bags: how many views each of the N images has, at least 1.
        """


class TorchEngine:
    """Runs the network as torch trained it."""

    def __init__(self, bundle: Bundle, *, device: str = "auto") -> None:
        from leafid.learning import choose_device, network_of

        self.device = choose_device(device)
        self.network = network_of(bundle).to(self.device)

    def logits(self, views: NDArray[np.uint8], bags: Sequence[int]) -> NDArray[np.float32]:
        """Return logits (N, T), one row for each image; see ``Engine``."""
        import torch

        with torch.inference_mode():
            pixels = torch.from_numpy(views).to(self.device).permute(0, 3, 1, 2)  # (V, 3, size, size), channels last
            answers = self.network.of_bags(pixels, torch.tensor(list(bags), device=self.device))
            values: NDArray[np.float32] = answers.float().cpu().numpy()
        return values
