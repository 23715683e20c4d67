"""A graph as a torch module: with batch normalisation for training, without it (folded) for inference."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from leafid.sheets.leaf_parser.graph import INPUT, ZONES, Graph, Layer


class GraphNetwork(nn.Module):
    """Runs a graph's layers in order; weights of the folded form are named `LAYER.weight` and `LAYER.bias`."""

    def __init__(self, graph: Graph, *, normalised: bool) -> None:
        super().__init__()
        self.graph = graph
        self.convolutions = nn.ModuleDict()
        self.normalisations = nn.ModuleDict()
        for layer in graph.layers:
            if layer.kind != "conv":
                continue
            bare = normalised and not layer.head and layer.name != "facts_in"
            padding = tuple(layer.dilation * (side // 2) for side in layer.kernel)
            self.convolutions[layer.name] = nn.Conv2d(
                graph.width_of(layer.inputs[0]),
                layer.channels,
                layer.kernel,
                layer.stride,
                (padding[0], padding[1]),
                layer.dilation,
                bias=not bare,
            )
            if bare:
                self.normalisations[layer.name] = nn.BatchNorm2d(layer.channels)

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Map the input (N, C, H, W) to the graph's outputs."""
        results = {INPUT: pixels}
        for layer in self.graph.layers:
            results[layer.name] = self._run(layer, [results[name] for name in layer.inputs])
        return tuple(results[name] for name in self.graph.outputs)

    def _run(self, layer: Layer, inputs: list[Tensor]) -> Tensor:
        first = inputs[0]
        if layer.kind == "conv":
            result: Tensor = self.convolutions[layer.name](first)
            if layer.name in self.normalisations:
                result = self.normalisations[layer.name](result)
            return functional.relu(result) if layer.relu else result
        if layer.kind == "add":
            return functional.relu(first + inputs[1])
        if layer.kind == "double":
            return functional.interpolate(first, scale_factor=2, mode="nearest")
        if layer.kind == "double_rows":
            return functional.interpolate(first, scale_factor=(2.0, 1.0), mode="nearest")
        if layer.kind == "mean":
            return first.mean(dim=(2, 3), keepdim=True)
        strips = first.chunk(ZONES, dim=3)
        parts = [strip.mean(dim=3, keepdim=True) for strip in strips]
        return torch.cat([*parts, *(strip.amax(dim=3, keepdim=True) for strip in strips)], dim=1)


def folded_weights(network: GraphNetwork) -> dict[str, NDArray[np.float32]]:
    """Multiply batch normalisation into the convolutions: exact in evaluation mode."""
    weights: dict[str, NDArray[np.float32]] = {}
    for name, convolution in network.convolutions.items():
        assert isinstance(convolution, nn.Conv2d)
        weight, bias = convolution.weight.detach(), convolution.bias
        if name in network.normalisations:
            norm = network.normalisations[name]
            assert isinstance(norm, nn.BatchNorm2d) and norm.running_var is not None and norm.running_mean is not None
            factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            weight = weight * factor[:, None, None, None]
            bias = norm.bias - norm.running_mean * factor
        weights[f"{name}.weight"] = weight.detach().cpu().float().numpy()
        assert bias is not None
        weights[f"{name}.bias"] = bias.detach().cpu().float().numpy()
    return weights


@torch.no_grad()
def unfold(network: GraphNetwork, weights: dict[str, NDArray[np.float32]], inputs: list[Tensor]) -> None:
    """Put folded weights into a network with batch normalisation, so that it answers as the folded one.

    Args:
        network: with normalisation; changed in place.
        weights: as `folded_weights` gives them.
        inputs: some inputs of the network (N, C, H, W), from which means and variances are taken.
    """
    folded = folded_network(network.graph, weights).to(inputs[0].device)
    sums = {name: torch.zeros(2, len(weights[f"{name}.bias"])) for name in network.normalisations}

    def add(name: str, result: Tensor) -> None:
        sums[name] += torch.stack([result.mean(dim=(0, 2, 3)), result.square().mean(dim=(0, 2, 3))]).cpu()

    for name in sums:
        folded.convolutions[name].register_forward_hook(lambda _, __, result, name=name: add(name, result))
    for pixels in inputs:
        folded(pixels)
    for name, convolution in network.convolutions.items():
        assert isinstance(convolution, nn.Conv2d)
        weight, bias = (torch.from_numpy(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        if name not in network.normalisations:
            assert convolution.bias is not None
            convolution.weight.copy_(weight)
            convolution.bias.copy_(bias)
            continue
        norm = network.normalisations[name]
        assert isinstance(norm, nn.BatchNorm2d) and norm.running_var is not None and norm.running_mean is not None
        mean, square = sums[name] / len(inputs)
        variance = (square - mean.square()).clamp(min=0)
        # The scale of a normalised filter has no effect on the answer, but on how fast it learns: all begin at 1.
        scale = weight.flatten(1).norm(dim=1).clamp(min=1e-6)
        convolution.weight.copy_(weight / scale[:, None, None, None])
        norm.running_mean.copy_((mean - bias) / scale)
        norm.running_var.copy_(variance / scale.square())
        deviation = torch.sqrt(variance / scale.square() + norm.eps)
        norm.weight.copy_(deviation * scale)
        norm.bias.copy_(mean)


def folded_network(graph: Graph, weights: dict[str, NDArray[np.float32]]) -> GraphNetwork:
    """Build the folded form with given weights, ready to answer."""
    network = GraphNetwork(graph, normalised=False)
    network.load_state_dict({f"convolutions.{name}": torch.from_numpy(value) for name, value in weights.items()})
    return network.eval()
