"""The network of every backbone, and of a bundle; the registry of backbones."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from leafid.bundle import NetworkSpec, read_bundle, write_bundle
from leafid.errors import BundleError
from leafid.jobs import BACKBONES
from leafid.learning import Bags, Run, build_network, load_network
from leafid.learning.models.backbones import TimmBackbone, TorchvisionBackbone, find_backbone

SPEC = NetworkSpec(backbone="mobilenet_v3_small", dropout=0.2, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.1))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_gives_features_and_logits_and_has_blocks(backbone: str) -> None:
    network = build_network(SPEC.model_copy(update={"backbone": backbone}), taxa=5).eval()
    pixels = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    with torch.inference_mode():
        features = network.features(pixels)
        assert features.ndim == 2
        assert network(Bags.of_single_views(pixels)).logits.shape == (1, 5)
    in_blocks = sum(parameter.numel() for block in network.blocks() for parameter in block.parameters())
    assert in_blocks == sum(parameter.numel() for parameter in network.backbone.parameters())
    assert len(network.blocks()) > 8


def test_the_registry_finds_the_library_of_a_name_and_suggests_near_names() -> None:
    assert find_backbone("resnet18") == TorchvisionBackbone("resnet18")
    assert find_backbone("timm/resnet18.a1_in1k") == TimmBackbone("timm/resnet18.a1_in1k")
    with pytest.raises(ValueError, match=r"did you mean resnet18 or resnet50\?"):
        find_backbone("resnet81")
    for wrong in ("timm", "timm/", "vgg", "keras/x"):
        with pytest.raises(ValueError, match=r"known: mobilenet_v2, .*, timm/<any model of timm>"):
            find_backbone(wrong)


def test_pixels_are_normalised_inside_the_network() -> None:
    network = build_network(SPEC, taxa=2).eval()
    pixels = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (SPEC.mean, SPEC.std))
    with torch.inference_mode():
        expected = network.backbone((pixels.float() / 255 - mean) / std)
        torch.testing.assert_close(network.features(pixels), expected)
    assert not any(name in ("mean", "std") for name in network.state_dict())


def test_bundle_of_another_network_is_refused(trained: Run, tmp_path: Path) -> None:
    info = read_bundle(trained.bundle_folder).info
    tensors = dict(load_file(trained.bundle_folder / "model.safetensors"))
    tensors.pop("head.1.bias")
    with pytest.raises(BundleError, match="do not fit the network") as caught:
        load_network(write_bundle(tmp_path, info, tensors, ""))
    assert "head.1.bias" in str(caught.value)
    unknown = info.model_copy(update={"network": info.network.model_copy(update={"backbone": "vgg16"})})
    with pytest.raises(BundleError, match=r"its backbone 'vgg16' is not a backbone of leafid.*Update leafid"):
        load_network(write_bundle(tmp_path, unknown, tensors, ""))
