"""Covariance pooling: second moments, their matrix square root, and truncated networks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from leafid.bundle import NetworkSpec, read_bundle
from leafid.jobs import BACKBONES
from leafid.learning import Bags, Network, build_network, load_network, train
from leafid.learning.linear_probe.embeddings import compute_embeddings
from leafid.learning.models.backbones import find_backbone
from leafid.learning.models.covariance_pooling import MAX_CHANNELS, CovariancePooling, MatrixSquareRoot
from leafid.learning.run_samples import split_samples

from .conftest import MakeJob

SPEC = NetworkSpec(
    backbone="mobilenet_v2", pooling="covariance", dropout=0.0, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2)
)


def network_of(backbone: str) -> Network:
    return build_network(SPEC.model_copy(update={"backbone": backbone}), taxa=5).eval()


def full_matrices(triangles: torch.Tensor, side: int) -> np.ndarray:
    rows, columns = np.triu_indices(side)
    matrices = np.zeros((len(triangles), side, side))
    matrices[:, rows, columns] = matrices[:, columns, rows] = triangles.double().numpy()
    return matrices


def test_products_are_averaged_over_positions() -> None:
    maps = torch.zeros(1, 2, 1, 2)
    maps[0, :, 0, 0] = torch.tensor([1.0, 2.0])  # both features
    maps[0, :, 0, 1] = torch.tensor([4.0, 0.0])  # one feature
    (triangle,) = CovariancePooling(2)(maps)
    torch.testing.assert_close(triangle, torch.tensor([(1 + 16) / 2, (2 + 0) / 2, (4 + 0) / 2]))


def test_the_iterated_root_equals_that_of_an_eigendecomposition() -> None:
    pooling, maps = CovariancePooling(12), torch.randn(3, 12, 5, 5, generator=torch.Generator().manual_seed(0))
    triangles = pooling(maps * torch.linspace(0.2, 3, 12)[:, None, None])
    matrices = full_matrices(triangles, 12)
    values, vectors = np.linalg.eigh(matrices / np.trace(matrices, axis1=1, axis2=2)[:, None, None])
    expected = np.einsum("nij,nj,nkj->nik", vectors, np.sqrt(values), vectors)
    root = MatrixSquareRoot(pooling.features)(triangles)
    assert np.allclose(np.linalg.norm(root.numpy(), axis=1), np.linalg.norm(expected, axis=(1, 2)), rtol=1e-2)
    rows, columns = np.triu_indices(12)
    factor = np.where(rows == columns, 1, np.sqrt(2))
    assert np.allclose(root.numpy(), expected[:, rows, columns] * factor, atol=0.01)


def test_a_blank_view_gives_finite_values_and_gradients() -> None:
    pooling = CovariancePooling(6)
    triangles = pooling(torch.zeros(1, 6, 4, 4)).requires_grad_()
    root = MatrixSquareRoot(pooling.features)(triangles)
    root.sum().backward()
    assert torch.isfinite(root).all() and triangles.grad is not None and torch.isfinite(triangles.grad).all()


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_is_truncated_and_keeps_the_names_of_its_tensors(backbone: str) -> None:
    network = network_of(backbone)
    complete = find_backbone(backbone).build().state_dict()
    kept = network.backbone.state_dict()
    assert 0 < len(kept) < len(complete)
    assert all(complete[name].shape == value.shape for name, value in kept.items())
    with torch.inference_mode():
        output = network(Bags.of_single_views(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)))
    assert output.logits.shape == (2, 5) and output.embeddings.shape[1] <= MAX_CHANNELS * (MAX_CHANNELS + 1) // 2
    in_blocks = sum(parameter.numel() for block in network.blocks() for parameter in block.parameters())
    assert in_blocks == sum(parameter.numel() for parameter in network.backbone.parameters())


def test_positions_do_not_matter_but_co_occurrence_does() -> None:
    pooling = CovariancePooling(3)
    maps = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(pooling(maps), pooling(maps.flip(2, 3)))
    separated = torch.cat([maps[:, :1].flip(3), maps[:, 1:]], dim=1)
    assert not torch.allclose(pooling(maps), pooling(separated), atol=1e-3)


def test_a_run_gives_a_bundle_that_loads_with_covariance_pooling(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job(model={"pooling": "covariance", "backbone": "mobilenet_v3_small"}, max_epochs=2)
    run = train(job, run=tmp_path / "run")
    assert np.isfinite(pd.read_csv(run.folder / "metrics.csv")["val_loss"]).all()
    bundle = read_bundle(run.folder)
    assert bundle.info.network.pooling == "covariance"
    first, second = load_network(bundle), load_network(bundle)
    view = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(first.logits_of_views(view), second.logits_of_views(view))


def test_no_integer_buffer_could_be_rounded_by_ema() -> None:
    network = network_of("resnet18")
    averaged = [name for name, buffer in network.named_buffers() if not buffer.is_floating_point()]
    assert all(name.endswith("num_batches_tracked") for name in averaged)


def test_features_at_several_scales_are_averaged_and_every_second_is_rotated() -> None:
    one, several = (
        build_network(SPEC.model_copy(update={"scales": scales}), taxa=2).eval() for scales in ((1.0,), (1.0, 0.5))
    )
    several.load_state_dict(one.state_dict())
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        rotated = pixels.rot90(1, (2, 3))
        expected = (one.features(pixels) + one.features(rotated, (0.5,))) / 2
        assert (several.features(pixels) - expected).norm() < 1e-4 * expected.norm()
        assert (one.features(pixels) - expected).norm() > 0.1 * expected.norm()


def test_embeddings_at_other_scales_are_not_read_from_the_cache(make_job: MakeJob, tmp_path: Path) -> None:
    run = train(make_job(model={"backbone": "mobilenet_v3_small"}, max_epochs=1), run=tmp_path / "run")
    samples = split_samples(run, "val", drawn=None)
    spec = NetworkSpec(backbone="mobilenet_v3_small", dropout=0.0, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    one, several = (build_network(spec.model_copy(update={"scales": scales}), 2) for scales in ((1.0,), (1.0, 0.5)))
    several.load_state_dict(one.state_dict())
    first, second = (
        compute_embeddings(network, samples, device=torch.device("cpu"), workers=0) for network in (one, several)
    )
    assert not np.array_equal(first, second)
