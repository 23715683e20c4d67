"""Pooling and head in numpy give what the network gives."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from leafid.bundle import Bundle, write_bundle
from leafid.errors import BundleError
from leafid.identify.engines.pooling_head import PoolingHead
from leafid.jobs.model import Pooling
from leafid.learning import build_network, load_network
from leafid.taxonomy import Taxonomy
from tests.identify.small_bundle import COLOURS, NETWORK, bundle_info

IMAGES = 5


@pytest.fixture(params=["average", "covariance"])
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Bundle:
    """Return a bundle with random weights, also of the attention, which is zero before training."""
    pooling: Pooling = request.param
    spec = NETWORK.model_copy(update={"pooling": pooling, "backbone": "mobilenet_v2"})
    torch.manual_seed(0)
    network = build_network(spec, len(COLOURS))
    torch.nn.init.normal_(network.pooling.score.weight)
    info = bundle_info(taxonomy=Taxonomy.from_names(COLOURS), min_probability=0.5, network_spec=spec)
    return write_bundle(tmp_path, info, network.state_dict(), "# A bundle of the tests\n")


def test_logits_and_embeddings_are_those_of_the_network(bundle: Bundle) -> None:
    network = load_network(bundle)
    random = np.random.default_rng(0)
    image_index = np.concatenate([np.arange(IMAGES), random.integers(0, IMAGES, 30)])
    kinds = random.integers(0, 4, len(image_index))
    features = _features(network.last_linear.in_features, len(image_index), random)
    logits, embeddings = PoolingHead(bundle)(features, image_index, kinds, IMAGES)
    with torch.inference_mode():
        expected, _ = network.pooling(*map(torch.from_numpy, (features, image_index, kinds)), IMAGES)
        expected_logits = network.head(expected).numpy()
    assert logits.dtype == embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, expected.numpy(), rtol=0, atol=1e-5 * np.abs(expected.numpy()).max())
    np.testing.assert_allclose(logits, expected_logits, rtol=0, atol=1e-5 * np.abs(expected_logits).max())


def test_a_blank_view_gives_numbers(bundle: Bundle) -> None:
    """All features of a blank view may be zero; its covariance matrix is then singular, and its trace 0."""
    head = PoolingHead(bundle)
    features = np.zeros((1, bundle.arrays("head.1.weight")["head.1.weight"].shape[1]), np.float32)
    logits, embeddings = head(features, np.array([0]), np.array([0]), 1)
    assert np.isfinite(logits).all() and np.isfinite(embeddings).all()


def test_weights_that_do_not_fit_are_refused(bundle: Bundle) -> None:
    fewer = bundle.info.model_copy(update={"taxonomy": Taxonomy.from_names(list(COLOURS)[:2])})
    with pytest.raises(BundleError, match="its head is for 3 taxa and its taxonomy has 2"):
        PoolingHead(Bundle(bundle.folder, fewer))
    weights = load_file(bundle.folder / "model.safetensors")
    del weights["head.1.bias"]
    save_file(weights, bundle.folder / "model.safetensors")
    with pytest.raises(BundleError, match=r"head\.1\.bias.*Copy the bundle again"):
        PoolingHead(bundle)


def _features(length: int, views: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return features (V, F) such as a backbone gives: triangles of second moments are those of some vectors."""
    side = int(np.sqrt(2 * length))
    if side * (side + 1) // 2 != length:
        return random.normal(size=(views, length)).astype(np.float32)
    rows, columns = np.triu_indices(side)
    vectors = np.maximum(random.normal(size=(views, 200, side)), 0)  # of a map of 200 places
    moments = np.einsum("vpi,vpj->vij", vectors, vectors) / 200
    return np.asarray(moments[:, rows, columns], np.float32)
