"""Second-order pooling: what is paired, its root, and networks that are cut for it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from leafid.bundle import NetworkSpec, read_bundle
from leafid.jobs import BACKBONES
from leafid.learning import Bags, Network, build_network, load_network, train
from leafid.learning.linear_probe.probe import compute_embeddings
from leafid.learning.models.backbones import whole_model
from leafid.learning.models.covariance_pooling import CHANNELS, CovariancePooling, MatrixSquareRoot
from leafid.learning.run_samples import split_samples

from .conftest import MakeJob

SPEC = NetworkSpec(
    backbone="mobilenet_v2", pooling="second-order", dropout=0.0, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2)
)


def of_backbone(backbone: str) -> Network:
    return build_network(SPEC.model_copy(update={"backbone": backbone}), taxa=5).eval()


def whole(triangles: torch.Tensor, side: int) -> np.ndarray:
    rows, columns = np.triu_indices(side)
    matrices = np.zeros((len(triangles), side, side))
    matrices[:, rows, columns] = matrices[:, columns, rows] = triangles.double().numpy()
    return matrices


def test_features_are_paired_place_by_place() -> None:
    maps = torch.zeros(1, 2, 1, 2)
    maps[0, :, 0, 0] = torch.tensor([1.0, 2.0])  # together here
    maps[0, :, 0, 1] = torch.tensor([4.0, 0.0])  # alone there
    (triangle,) = CovariancePooling(2)(maps)
    torch.testing.assert_close(triangle, torch.tensor([(1 + 16) / 2, (2 + 0) / 2, (4 + 0) / 2]))


def test_the_root_is_the_matrix_root() -> None:
    moments, maps = CovariancePooling(12), torch.randn(3, 12, 5, 5, generator=torch.Generator().manual_seed(0))
    triangles = moments(maps * torch.linspace(0.2, 3, 12)[:, None, None])
    matrices = whole(triangles, 12)
    values, vectors = np.linalg.eigh(matrices / np.trace(matrices, axis1=1, axis2=2)[:, None, None])
    expected = np.einsum("nij,nj,nkj->nik", vectors, np.sqrt(values), vectors)
    root = MatrixSquareRoot(moments.features)(triangles)
    assert np.allclose(np.linalg.norm(root.numpy(), axis=1), np.linalg.norm(expected, axis=(1, 2)), rtol=1e-2)
    rows, columns = np.triu_indices(12)
    factor = np.where(rows == columns, 1, np.sqrt(2))
    assert np.allclose(root.numpy(), expected[:, rows, columns] * factor, atol=0.01)


def test_an_empty_view_gives_numbers() -> None:
    moments = CovariancePooling(6)
    triangles = moments(torch.zeros(1, 6, 4, 4)).requires_grad_()
    root = MatrixSquareRoot(moments.features)(triangles)
    root.sum().backward()
    assert torch.isfinite(root).all() and triangles.grad is not None and torch.isfinite(triangles.grad).all()


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_is_cut_and_keeps_the_names_of_its_tensors(backbone: str) -> None:
    network = of_backbone(backbone)
    known = whole_model(backbone).state_dict()
    kept = network.backbone.state_dict()
    assert 0 < len(kept) < len(known)
    assert all(known[name].shape == value.shape for name, value in kept.items())
    with torch.inference_mode():
        answers = network(Bags.of_single_views(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)))
    assert answers.logits.shape == (2, 5) and answers.embeddings.shape[1] <= CHANNELS * (CHANNELS + 1) // 2
    in_blocks = sum(parameter.numel() for block in network.blocks() for parameter in block.parameters())
    assert in_blocks == sum(parameter.numel() for parameter in network.backbone.parameters())


def test_where_the_features_lie_does_not_matter_but_which_meet_does() -> None:
    moments = CovariancePooling(3)
    maps = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(moments(maps), moments(maps.flip(2, 3)))
    parted = torch.cat([maps[:, :1].flip(3), maps[:, 1:]], dim=1)
    assert not torch.allclose(moments(maps), moments(parted), atol=1e-3)


def test_a_run_with_it_gives_a_bundle_that_answers_alike(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job(model={"pooling": "second-order", "backbone": "mobilenet_v3_small"}, max_epochs=2)
    run = train(job, run=tmp_path / "run")
    assert np.isfinite(pd.read_csv(run.folder / "metrics.csv")["val_loss"]).all()
    bundle = read_bundle(run.folder)
    assert bundle.info.network.pooling == "second-order"
    first, second = load_network(bundle), load_network(bundle)
    view = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(first.logits_of_views(view), second.logits_of_views(view))


def test_a_running_average_of_weights_has_no_whole_numbers_to_round() -> None:
    network = of_backbone("resnet18")
    averaged = [name for name, buffer in network.named_buffers() if not buffer.is_floating_point()]
    assert all(name.endswith("num_batches_tracked") for name in averaged)


def test_features_at_several_sizes_are_averaged_and_every_second_is_turned() -> None:
    one, several = (
        build_network(SPEC.model_copy(update={"scales": scales}), taxa=2).eval() for scales in ((1.0,), (1.0, 0.5))
    )
    several.load_state_dict(one.state_dict())
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        turned = pixels.rot90(1, (2, 3))
        expected = (one.features(pixels) + one.features(turned, (0.5,))) / 2
        assert (several.features(pixels) - expected).norm() < 1e-4 * expected.norm()
        assert (one.features(pixels) - expected).norm() > 0.1 * expected.norm()


def test_embeddings_at_other_sizes_are_not_taken_from_the_store(make_job: MakeJob, tmp_path: Path) -> None:
    run = train(make_job(model={"backbone": "mobilenet_v3_small"}, max_epochs=1), run=tmp_path / "run")
    samples = split_samples(run, "val", drawn=None)
    spec = NetworkSpec(backbone="mobilenet_v3_small", dropout=0.0, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    one, several = (build_network(spec.model_copy(update={"scales": scales}), 2) for scales in ((1.0,), (1.0, 0.5)))
    several.load_state_dict(one.state_dict())
    first, second = (
        compute_embeddings(network, samples, device=torch.device("cpu"), workers=0) for network in (one, several)
    )
    assert not np.array_equal(first, second)
