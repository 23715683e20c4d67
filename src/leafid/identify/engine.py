"""What turns views into logits. One interface, so that faster engines can stand in for torch."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Bundle


class Engine(Protocol):
    """Runs a network on views."""

    def logits(self, views: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return logits (N, T) for views (N, size, size, 3), RGB."""


class TorchEngine:
    """Runs the network as torch trained it."""

    def __init__(self, bundle: Bundle, *, device: str = "auto") -> None:
        from leafid.learning import choose_device, network_of

        self.device = choose_device(device)
        self.network = network_of(bundle).to(self.device)

    def logits(self, views: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return logits (N, T) for views (N, size, size, 3), RGB."""
        import torch

        with torch.inference_mode():
            pixels = torch.from_numpy(views).to(self.device).permute(0, 3, 1, 2)  # (N, 3, size, size), channels last
            values: NDArray[np.float32] = self.network(pixels).float().cpu().numpy()
        return values
