"""Interface of inference engines, and the engine that runs the network with torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Bundle
from leafid.installation import require_torch
from leafid.sheets import PreparedImage

EngineName = Literal["torch", "openvino", "onnx", "openvino-int8", "onnx-int8"]


@dataclass(frozen=True)
class EngineOutput:
    """Logits (N, T) and embeddings (N, F) of N images, float32."""

    logits: NDArray[np.float32]
    embeddings: NDArray[np.float32]


class Engine(Protocol):
    """Runs a network on the views of images and pools them to one output per image."""

    @property
    def name(self) -> EngineName:
        """Name of the engine."""

    @property
    def concurrency(self) -> int:
        """Number of ``predict`` calls to run at the same time so that the device is fully used."""

    @property
    def views_per_batch(self) -> int:
        """Number of views in a call at which throughput is highest."""

    def predict(self, images: Sequence[PreparedImage]) -> EngineOutput:
        """Return logits and embeddings, one row per image."""


class TorchEngine:
    """Runs the network with torch."""

    name: EngineName = "torch"
    concurrency = 1  # torch parallelises within a call

    def __init__(self, bundle: Bundle, *, device: str = "auto", cores: int | None = None) -> None:
        """Load the network.

        Raises:
            InstallationError: torch or torchvision is missing, or they do not match.
            BundleError: the weights do not fit.
            UsageError: this machine has no such device.
        """
        require_torch()
        import torch

        from leafid.learning import choose_device, fuse_batch_norm, load_network

        if cores is not None:
            torch.set_num_threads(cores)
        self.device = choose_device(device)
        self.network = fuse_batch_norm(load_network(bundle), self.device)
        self.views_per_batch = 16 if self.device.type == "cpu" else 64

    def predict(self, images: Sequence[PreparedImage]) -> EngineOutput:
        """Return logits and embeddings, one row per image."""
        import torch

        from leafid.learning import Bags

        bags = Bags.of([image.views for image in images], [image.kinds for image in images])
        with torch.inference_mode():
            output = self.network(bags.to(self.device))
            return EngineOutput(output.logits.float().cpu().numpy(), output.embeddings.float().cpu().numpy())
