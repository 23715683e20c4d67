"""A small bundle that identifies images by colour, with random weights and a fitted head."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression

from leafid.bundle import Bundle, BundleInfo, Decision, NetworkSpec, Provenance, write_bundle
from leafid.jobs import Preprocessing
from leafid.learning import Bags, build_network
from leafid.taxonomy import Taxonomy

TARGET = "Mitragyna speciosa"
COLOURS = {"Coffea canephora": (200, 60, 50), "Mitragyna hirsuta": (60, 70, 200), TARGET: (60, 170, 70)}
"""The taxa of the tests and the colours of their leaves."""

SIZE = 32

NETWORK = NetworkSpec(backbone="mobilenet_v3_small", dropout=0.0, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def leaf(name: str, seed: int = 0, *, side: int = 48, noise: int = 25) -> Image.Image:
    """Draw a leaf of a taxon: its colour, with noise."""
    return coloured(COLOURS[name], seed, side=side, noise=noise)


def coloured(colour: tuple[int, int, int], seed: int, *, side: int = 48, noise: int = 25) -> Image.Image:
    """Draw a square of a colour with noise."""
    grain = np.random.default_rng(seed).integers(-noise, noise + 1, (side, side, 3))
    return Image.fromarray(np.clip(np.array(colour) + grain, 0, 255).astype(np.uint8))


def make_bundle(
    folder: Path,
    *,
    target: str | None = TARGET,
    min_probability: float = 0.8,
    name: str = "colours",
    network_spec: NetworkSpec = NETWORK,
) -> Bundle:
    """Write a bundle that identifies the colours."""
    taxonomy = Taxonomy.from_names(COLOURS, target=target)
    torch.manual_seed(0)
    network = build_network(network_spec, len(taxonomy)).eval()
    labels = np.repeat(np.arange(len(taxonomy)), 20)
    pixels = np.stack(
        [np.asarray(leaf(taxonomy.names[label], seed, side=SIZE)) for seed, label in enumerate(labels, start=1000)]
    )
    with torch.inference_mode():
        views = Bags.of_single_views(torch.from_numpy(pixels).permute(0, 3, 1, 2))
        features = network(views).embeddings.numpy().astype(np.float64)
    weights, bias = _head(features, labels)
    state = network.state_dict()
    state["head.1.weight"], state["head.1.bias"] = torch.from_numpy(weights), torch.from_numpy(bias)
    info = bundle_info(taxonomy=taxonomy, min_probability=min_probability, name=name, network_spec=network_spec)
    return write_bundle(folder, info, state, "# A bundle of the tests\n")


def bundle_info(
    *, taxonomy: Taxonomy, min_probability: float, name: str = "colours", network_spec: NetworkSpec = NETWORK
) -> BundleInfo:
    """Return the description of an untrained bundle."""
    return BundleInfo(
        name=name,
        taxonomy=taxonomy,
        preprocessing=Preprocessing(size=SIZE),
        network=network_spec,
        decision=Decision(min_probability=min_probability),
        provenance=Provenance(
            job={},
            created=datetime(2026, 1, 1, tzinfo=UTC),
            seed=0,
            catalog_sha256="0" * 64,
            git_commit=None,
            versions={},
            images={},
            gatherings={},
            best_epoch=0,
            val_macro_f1=None,
        ),
        weights_sha256="",
    )


def _head(features: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fit the last layer on standardised features, and fold the standardisation into it."""
    mean, spread = features.mean(0), features.std(0) + 1e-9
    fitted = LogisticRegression(C=1.0, max_iter=500).fit((features - mean) / spread, labels)
    weights = fitted.coef_ / spread
    bias = fitted.intercept_ - weights @ mean
    return weights.astype(np.float32), bias.astype(np.float32)
