"""Pretrained weights: what fits, what is refused, what is reported."""

import logging
import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from leafid.errors import WeightsError
from leafid.jobs import ModelSettings
from leafid.learning import Run, build_network
from leafid.learning.models.backbones import find_backbone, network_spec
from leafid.learning.models.pretrained_weights import initialize_network


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights as users of torchvision save them, with the classifier of 1,000 classes."""
    path = tmp_path_factory.mktemp("weights") / "shufflenet.pth"
    torch.save(find_backbone("shufflenet_v2_x1_0").build().state_dict(), path)
    return path


def settings(backbone: str, weights: Path | str) -> ModelSettings:
    return ModelSettings(backbone=backbone, weights=str(weights))


def test_weights_are_loaded_into_the_backbone_and_the_unused_classifier_is_reported(
    weights: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    network, unused = initialize_network(settings("shufflenet_v2_x1_0", weights), taxa=3)
    saved = torch.load(weights, weights_only=True)
    assert all(torch.equal(value, saved[name]) for name, value in network.backbone.state_dict().items())
    assert unused == ["fc.weight", "fc.bias"]
    assert (
        "not used, because leafid takes the layers before them and adds a head of its own: fc.weight, fc.bias"
        in caplog.text
    )


def test_safetensors_and_wrapped_files_load_alike(weights: Path, tmp_path: Path) -> None:
    saved = torch.load(weights, weights_only=True)
    save_file(saved, tmp_path / "a.safetensors")
    torch.save({"state_dict": saved, "epoch": 3}, tmp_path / "b.pth")
    for name in ("a.safetensors", "b.pth"):
        network, _ = initialize_network(settings("shufflenet_v2_x1_0", tmp_path / name), taxa=3)
        assert torch.equal(network.backbone.state_dict()["conv1.0.weight"], saved["conv1.0.weight"])


def test_weights_of_a_bundle_are_loaded(trained: Run) -> None:
    path = trained.bundle_folder / "model.safetensors"
    _, unused = initialize_network(settings("shufflenet_v2_x1_0", path), taxa=9)
    assert unused == ["head.1.bias", "head.1.weight", "pooling.score.weight"]


def test_weights_of_a_bundle_with_covariance_pooling_of_projected_channels_are_loaded(tmp_path: Path) -> None:
    model = ModelSettings(backbone="resnet18", pooling="covariance", weights="none")
    tensors = build_network(network_spec(model), 3).state_dict()
    assert "summary.mixing" in tensors
    save_file({name: value.contiguous() for name, value in tensors.items()}, tmp_path / "model.safetensors")

    model = model.model_copy(update={"weights": str(tmp_path / "model.safetensors")})
    network, unused = initialize_network(model, taxa=9)

    assert all(torch.equal(value, tensors[f"backbone.{name}"]) for name, value in network.backbone.state_dict().items())
    assert "summary.mixing" in unused


def test_weights_of_another_backbone_are_refused_and_named(weights: Path) -> None:
    with pytest.raises(WeightsError, match="does not fit resnet18") as caught:
        initialize_network(settings("resnet18", weights), taxa=3)
    assert "set `backbone: shufflenet_v2_x1_0`" in str(caught.value)


def test_a_file_without_weights_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return eval, ("open('ran', 'w')",)

    torch.save({"a": Evil()}, tmp_path / "evil.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "text.safetensors").write_text("no weights")
    for name, message in {
        "evil.pth": "contains Python objects",
        "list.pth": "does not contain a state dict",
        "text.pth": "cannot be read as weights",
        "text.safetensors": "cannot be read as weights",
        "missing.pth": "does not exist",
    }.items():
        with pytest.raises(WeightsError, match=message):
            initialize_network(settings("shufflenet_v2_x1_0", tmp_path / name), taxa=3)


def test_offline_the_two_alternatives_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:  # a port on which nothing listens
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        with pytest.raises(WeightsError, match=r"`weights: path/to/file\.pth`.*`weights: none`"):
            initialize_network(settings("shufflenet_v2_x1_0", "imagenet"), taxa=3)


def test_real_weights_fit(shared: Path) -> None:
    path = shared / "weights" / "mobilenet_v2_imagenet.pth"
    _, unused = initialize_network(settings("mobilenet_v2", path), taxa=3)
    assert unused == ["classifier.1.weight", "classifier.1.bias"]


def test_the_prefix_of_data_parallel_training_is_removed(
    weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    saved = torch.load(weights, weights_only=True)
    torch.save({f"module.{name}": value for name, value in saved.items()}, tmp_path / "parallel.pth")
    network, unused = initialize_network(settings("shufflenet_v2_x1_0", tmp_path / "parallel.pth"), taxa=3)
    assert torch.equal(network.backbone.state_dict()["conv1.0.weight"], saved["conv1.0.weight"])
    assert unused == ["fc.weight", "fc.bias"] and "'module.'" in caplog.text


class _Anything:
    """An object of a class that only the saving program has."""


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS pointer"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "is a web page"),
        (b"", "is empty"),
        (b"\x93\x00\x11 no weights at all", "cannot be read as weights"),
    ],
)
def test_files_that_are_no_weights_are_named_for_what_they_are(
    content: bytes, expected: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=expected):
        initialize_network(settings("shufflenet_v2_x1_0", path), taxa=3)


def test_pickled_objects_are_not_run_and_values_that_are_no_numbers_are_refused(weights: Path, tmp_path: Path) -> None:
    torch.save({"model": _Anything()}, tmp_path / "objects.pth")
    with pytest.raises(WeightsError, match="save the tensors alone"):
        initialize_network(settings("shufflenet_v2_x1_0", tmp_path / "objects.pth"), taxa=3)
    saved = torch.load(weights, weights_only=True)
    saved["conv1.0.weight"][0] = float("nan")
    torch.save(saved, tmp_path / "nan.pth")
    with pytest.raises(WeightsError, match=r"not numbers .* 1 of its \d+ tensors, such as conv1.0.weight"):
        initialize_network(settings("shufflenet_v2_x1_0", tmp_path / "nan.pth"), taxa=3)
