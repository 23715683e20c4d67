"""Weights to start from: what fits, what is refused, what is reported."""

import logging
import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from leafid.errors import WeightsError
from leafid.jobs import ModelSettings
from leafid.learning import Run, build_network
from leafid.learning.models.backbones import network_spec, whole_model
from leafid.learning.models.pretrained_weights import start_network


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as torchvision users save them, with its 1000-way classifier."""
    path = tmp_path_factory.mktemp("weights") / "shufflenet.pth"
    torch.save(whole_model("shufflenet_v2_x1_0").state_dict(), path)
    return path


def settings(backbone: str, weights: Path | str) -> ModelSettings:
    return ModelSettings(backbone=backbone, weights=str(weights))


def test_weights_reach_the_backbone_and_the_classifier_is_reported(
    weights: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    network, unused = start_network(settings("shufflenet_v2_x1_0", weights), taxa=3)
    saved = torch.load(weights, weights_only=True)
    assert all(torch.equal(value, saved[name]) for name, value in network.backbone.state_dict().items())
    assert unused == ["fc.weight", "fc.bias"]
    assert "not used, for the network ends before them: fc.weight, fc.bias" in caplog.text


def test_safetensors_and_wrapped_files_load_alike(weights: Path, tmp_path: Path) -> None:
    saved = torch.load(weights, weights_only=True)
    save_file(saved, tmp_path / "a.safetensors")
    torch.save({"state_dict": saved, "epoch": 3}, tmp_path / "b.pth")
    for name in ("a.safetensors", "b.pth"):
        network, _ = start_network(settings("shufflenet_v2_x1_0", tmp_path / name), taxa=3)
        assert torch.equal(network.backbone.state_dict()["conv1.0.weight"], saved["conv1.0.weight"])


def test_weights_of_a_bundle_can_be_built_on(trained: Run) -> None:
    path = trained.bundle_folder / "model.safetensors"
    _, unused = start_network(settings("shufflenet_v2_x1_0", path), taxa=9)
    assert unused == ["head.1.bias", "head.1.weight", "pooling.score.weight"]


def test_so_can_those_of_a_bundle_with_second_order_pooling_of_mixed_channels(tmp_path: Path) -> None:
    model = ModelSettings(backbone="resnet18", pooling="second-order", weights="none")
    tensors = build_network(network_spec(model), 3).state_dict()
    assert "summary.mixing" in tensors
    save_file({name: value.contiguous() for name, value in tensors.items()}, tmp_path / "model.safetensors")

    network, unused = start_network(model.model_copy(update={"weights": str(tmp_path / "model.safetensors")}), taxa=9)

    assert all(torch.equal(value, tensors[f"backbone.{name}"]) for name, value in network.backbone.state_dict().items())
    assert "summary.mixing" in unused


def test_weights_of_another_backbone_are_refused_and_named(weights: Path) -> None:
    with pytest.raises(WeightsError, match="does not fit resnet18") as caught:
        start_network(settings("resnet18", weights), taxa=3)
    assert "set `backbone: shufflenet_v2_x1_0`" in str(caught.value)


def test_what_holds_no_weights_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return eval, ("open('ran', 'w')",)

    torch.save({"a": Evil()}, tmp_path / "evil.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "text.safetensors").write_text("no weights")
    for name, message in {
        "evil.pth": "cannot be read as weights",
        "list.pth": "holds no state dict",
        "text.pth": "cannot be read as weights",
        "text.safetensors": "cannot be read as weights",
        "missing.pth": "there is no file",
    }.items():
        with pytest.raises(WeightsError, match=message):
            start_network(settings("shufflenet_v2_x1_0", tmp_path / name), taxa=3)


def test_offline_the_two_ways_out_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:  # a port at which nobody answers
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        with pytest.raises(WeightsError, match=r"`weights: path/to/file\.pth`.*`weights: none`"):
            start_network(settings("shufflenet_v2_x1_0", "imagenet"), taxa=3)


def test_real_weights_fit(shared: Path) -> None:
    path = shared / "weights" / "mobilenet_v2_imagenet.pth"
    _, unused = start_network(settings("mobilenet_v2", path), taxa=3)
    assert unused == ["classifier.1.weight", "classifier.1.bias"]
