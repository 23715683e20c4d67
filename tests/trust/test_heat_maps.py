"""Heat is on the evidence, sums to the logit, and blurring the hottest parts lowers the probability."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from leafid.bundle import Calibration, NetworkSpec
from leafid.learning import Network, build_network
from leafid.sheets import CropKind, PreparedImage
from leafid.trust import draw_explanation, explain_file
from leafid.trust.explanation.heat_maps import deletion_insertion, explain_image, heat_map, hires_cam
from tests.identify.small_bundle import TARGET, leaf, make_bundle

SIDE = 64
SPEC = NetworkSpec(backbone="mobilenet_v2", dropout=0.0, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


@pytest.fixture
def texture_network() -> Network:
    """Return a network of one convolution that predicts taxon 1 for texture, and taxon 0 without."""
    convolution = nn.Conv2d(3, 2, 3, padding=1, bias=False)
    edges = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]]) / 3
    convolution.weight.data = torch.stack([edges.expand(3, 3, 3), -edges.expand(3, 3, 3)])
    backbone = nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = Network(backbone, 2, 2, SPEC).eval()
    network.last_linear.weight.data = torch.tensor([[-4.0, -4.0], [4.0, 4.0]])
    network.last_linear.bias.data = torch.tensor([1.0, -1.0])
    return network


@pytest.fixture
def textured() -> NDArray[np.uint8]:
    """Return a grey view with a square of texture at the upper left."""
    view = np.full((SIDE, SIDE, 3), 128, dtype=np.uint8)
    view[8:24, 8:24] = np.random.default_rng(0).integers(0, 256, (16, 16, 1))
    return view


def test_heat_is_on_the_evidence(texture_network: Network, textured: NDArray[np.uint8]) -> None:
    heat = np.maximum(heat_map(texture_network, textured, 1), 0)
    assert heat.shape == (SIDE, SIDE)
    assert heat[6:26, 6:26].sum() / heat.sum() > 0.99
    assert (heat_map(texture_network, textured, 0) <= 0).all()  # texture is evidence against the other taxon


def test_deletion_of_hot_parts_lowers_the_probability(texture_network: Network, textured: NDArray[np.uint8]) -> None:
    heat = heat_map(texture_network, textured, 1)
    deletion, insertion = deletion_insertion(texture_network, textured, heat, 1, Calibration())
    worst, best = deletion_insertion(texture_network, textured, -heat, 1, Calibration())
    assert deletion < worst - 0.2 and insertion > best + 0.2


@pytest.mark.parametrize("backbone", ["mobilenet_v2", "resnet18", "efficientnet_b0"])
def test_heat_sums_to_the_logit_above_the_mean(backbone: str) -> None:
    torch.manual_seed(0)
    network = build_network(SPEC.model_copy(update={"backbone": backbone}), 3).eval()
    pixels = np.asarray(leaf(TARGET, side=96), dtype=np.uint8)
    with torch.inference_mode():
        features = network.features(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None])
        logits = network.head(features)[0] - network.last_linear.bias
    for label in range(3):
        expected = float(logits[label] - logits.mean())
        assert hires_cam(network, pixels, label).sum() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("pooling", ["average", "covariance"])
def test_evidence_for_all_taxa_alike_adds_no_heat(pooling: str) -> None:
    torch.manual_seed(0)
    network = build_network(SPEC.model_copy(update={"pooling": pooling}), 3).eval()
    pixels = np.asarray(leaf(TARGET, side=96), dtype=np.uint8)
    before = hires_cam(network, pixels, 1)
    with torch.no_grad():
        network.last_linear.weight += (
            10 * network.last_linear.weight.std() * torch.randn(network.last_linear.in_features)
        )
    np.testing.assert_allclose(hires_cam(network, pixels, 1), before, atol=0.01 * np.abs(before).max())


def drawn_square() -> NDArray[np.uint8]:
    """Draw a square of thin lines, half as wide as the view, like a vein map."""
    drawn, quarter = np.full((SIDE, SIDE, 3), 255, dtype=np.uint8), SIDE // 4
    return np.asarray(cv2.rectangle(drawn, (quarter, quarter), (3 * quarter, 3 * quarter), (0, 0, 0)), np.uint8)


def test_every_view_is_explained_with_its_weight(texture_network: Network, textured: NDArray[np.uint8]) -> None:
    larger = np.full((96, 96, 3), 200, dtype=np.uint8)
    kinds = (CropKind.PLANT, CropKind.LEAF, CropKind.VEINS)
    prepared = PreparedImage((larger, textured, drawn_square()), kinds, 500, 500)
    views = explain_image(texture_network, prepared, (1, 0), Calibration())
    assert tuple(view.kind for view in views) == kinds
    assert sum(view.weight for view in views) == pytest.approx(1)
    assert views[1].pixels.shape == (SIDE, SIDE, 3) and [one.label for one in views[1].maps] == [1, 0]
    assert views[1].maps[0].heat.max() == 1 and views[1].maps[1].heat.max() == 0
    assert views[0].maps[0].on_plant is None  # an empty sheet has no plant
    assert views[2].plant_fraction == pytest.approx(0.25, abs=0.05)  # the area of the leaf, not of its lines


def test_an_explanation_is_drawn(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle").folder
    leaf(TARGET).save(tmp_path / "leaf.png")
    explanation = explain_file(bundle, tmp_path / "leaf.png", device="cpu")
    assert explanation.candidates[0][0] == TARGET and len(explanation.candidates) == 2
    draw_explanation(explanation, tmp_path / "out.png", title="leaf.png")
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.width > 800
