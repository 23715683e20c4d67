"""What turns views into answers. One interface, so that faster engines can stand in for torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Bundle
from leafid.sheets import PreparedImage

EngineName = Literal["torch", "openvino", "onnx", "openvino-int8", "onnx-int8"]


@dataclass(frozen=True)
class EngineOutput:
    """Logits (N, T) and embeddings (N, F) of N images, float32."""

    logits: NDArray[np.float32]
    embeddings: NDArray[np.float32]


class Engine(Protocol):
    """Runs a network on the views of images, and makes one answer for each image."""

    @property
    def name(self) -> EngineName:
        """Which one it is."""

    @property
    def at_once(self) -> int:
        """How many calls of ``answer`` may run at the same time, and should, to use all of the device."""

    @property
    def views_at_once(self) -> int:
        """How many views an answer is fastest for, by view.

        OpenVINO with mobilenet_v3_large on 2 cores: 260 views/s one by one, 320 by 8, 300 by 16, 270 by 32.
        """

    def answer(self, images: Sequence[PreparedImage]) -> EngineOutput:
        """Answer for each image, by all its views."""


class TorchEngine:
    """Runs the network as torch trained it."""

    name: EngineName = "torch"
    at_once = 1  # torch shares one calculation among its threads

    def __init__(self, bundle: Bundle, *, device: str = "auto", cores: int | None = None) -> None:
        import torch

        from leafid.learning import choose_device, fuse_batch_norm, load_network

        if cores is not None:
            torch.set_num_threads(cores)
        self.device = choose_device(device)
        self.network = fuse_batch_norm(load_network(bundle), self.device)
        self.views_at_once = 16 if self.device.type == "cpu" else 64

    def answer(self, images: Sequence[PreparedImage]) -> EngineOutput:
        """Answer for each image; see ``Engine``."""
        import torch

        from leafid.learning import Bags

        bags = Bags.of([image.views for image in images], [image.kinds for image in images])
        with torch.inference_mode():
            answers = self.network(bags.to(self.device))
            return EngineOutput(answers.logits.float().cpu().numpy(), answers.embeddings.float().cpu().numpy())
