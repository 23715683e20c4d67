"""Every engine gives the same answers but for rounding, and damaged weights are refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from leafid.errors import WeightsError
from leafid.sheets.leaf_parser.engines import EngineName, networks
from leafid.sheets.leaf_parser.graph import Graph, leaf_graph, overview_graph
from leafid.sheets.leaf_parser.network import GraphNetwork, folded_network, folded_weights, unfold
from leafid.sheets.leaf_parser.weights import read_weights, write_weights

GRAPHS = (overview_graph(), leaf_graph())


def trained(graph: Graph) -> GraphNetwork:
    """A network with weights and normalisation as after some training."""
    torch.manual_seed(3)
    network = GraphNetwork(graph, normalised=True)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.3, 0.3)
        network.train()
        for _ in range(3):
            network(torch.randn(4, graph.channels, graph.size[0] // 2, graph.size[1] // 2))
    return network.eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights."""
    path = tmp_path_factory.mktemp("weights")
    for graph in GRAPHS:
        write_weights(path, graph.name, folded_weights(trained(graph)))
    return path


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name)
def test_folding_normalisation_does_not_change_the_answers(graph: Graph) -> None:
    network = trained(graph)
    pixels = torch.randn(1, graph.channels, *graph.size)
    with torch.inference_mode():
        pairs = zip(network(pixels), folded_network(graph, folded_weights(network))(pixels), strict=True)
    for expected, found in pairs:
        assert (expected - found).abs().max() < 1e-4 * (1 + expected.abs().max())


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name)
def test_training_can_go_on_from_folded_weights(graph: Graph) -> None:
    weights = folded_weights(trained(graph))
    network = GraphNetwork(graph, normalised=True)
    pixels = torch.randn(4, graph.channels, graph.size[0] // 2, graph.size[1] // 2)
    unfold(network, weights, [pixels])
    with torch.inference_mode():
        for training in (True, False):
            pairs = zip(folded_network(graph, weights)(pixels), network.train(training)(pixels), strict=True)
            for expected, found in pairs:
                assert (expected - found).abs().max() < 1e-2 * (1 + expected.abs().max())
    for name, value in folded_weights(network).items():
        assert np.abs(value - weights[name]).max() < 1e-2


@pytest.mark.parametrize(("engine", "rounding"), [("openvino", 3e-2), ("onnx", 1e-3)])
def test_engines_answer_like_torch(engine: EngineName, rounding: float, folder: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime" if engine == "onnx" else engine)
    for graph, expected, found in zip(GRAPHS, networks("torch", folder), networks(engine, folder), strict=True):
        pixels = np.random.default_rng(0).standard_normal((1, graph.channels, *graph.size)).astype(np.float32)
        first, second = expected(pixels), found(pixels)
        assert set(first) == set(second) == set(graph.outputs)
        for name in graph.outputs:
            assert first[name].shape == second[name].shape
            assert np.abs(first[name] - second[name]).max() < rounding * (1 + np.abs(first[name]).max())


def test_changed_weights_are_refused_by_name_and_hash(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    content = bytearray((tmp_path / "leaf.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "leaf.safetensors").write_bytes(content)
    assert read_weights("overview", tmp_path)
    expected = json.loads((tmp_path / "sha256.json").read_text())["leaf"]
    with pytest.raises(WeightsError, match=rf"leaf.safetensors is damaged: SHA-256 \w+, not {expected}. Install"):
        read_weights("leaf", tmp_path)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"overview.safetensors or its hash in sha256.json is missing"):
        read_weights("overview", tmp_path)
