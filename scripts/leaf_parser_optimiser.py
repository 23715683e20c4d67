"""Muon (Jordan et al. 2024): steps whose matrix is made orthogonal, so that all directions of a kernel learn alike."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_MOMENTUM = 0.9
_TURNS = 5
_CUBIC = (3.4445, -4.7750, 2.0315)  # coefficients of the published iteration, which needs few turns


class Orthogonal(torch.optim.Optimizer):
    """Momentum whose matrix, outputs by inputs, is brought near an orthogonal one by Newton-Schulz iterations.

    Steps are scaled so that their elements are about as large as those of AdamW at the same rate (Liu et al. 2025,
    "Muon is scalable for LLM training"): rates of AdamW can be kept.
    """

    def __init__(self, kernels: Iterable[nn.Parameter], rate: float, decay: float) -> None:
        super().__init__(list(kernels), {"lr": rate, "weight_decay": decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Change all kernels by one step."""
        for group in self.param_groups:
            for kernel in group["params"]:
                if kernel.grad is None:
                    continue
                state = self.state[kernel]
                momentum = state.setdefault("momentum", torch.zeros_like(kernel))
                momentum.mul_(_MOMENTUM).add_(kernel.grad)
                ahead = kernel.grad + _MOMENTUM * momentum
                matrix = ahead.reshape(len(kernel), -1)
                change = orthogonalised(matrix) * 0.2 * max(matrix.shape) ** 0.5
                kernel.mul_(1 - group["lr"] * group["weight_decay"])
                kernel.add_(change.reshape(kernel.shape), alpha=-group["lr"])


def orthogonalised(matrix: Tensor) -> Tensor:
    """Bring the singular values of a matrix near 1."""
    tall = matrix.shape[0] > matrix.shape[1]
    result = matrix.T if tall else matrix
    result = result / (result.norm() + 1e-7)
    first, second, third = _CUBIC
    for _ in range(_TURNS):
        square = result @ result.T
        result = first * result + (second * square + third * square @ square) @ result
    final: Tensor = result.T if tall else result
    return final
