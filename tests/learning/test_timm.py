"""CNNs of timm as backbones: built, trained, and loaded from a bundle."""

from pathlib import Path

import pytest
import torch

from leafid.bundle import read_bundle
from leafid.errors import UsageError
from leafid.learning import Bags, build_network, load_network, train
from leafid.learning.models.backbones import network_spec

from .conftest import MakeJob

pytest.importorskip("timm", reason="timm is an extra: pip install leafid[timm]")


@pytest.mark.parametrize("name", ["convnext_atto", "mobilenetv3_small_050", "resnet10t", "efficientnet_lite0"])
def test_it_gives_logits_and_its_blocks_have_all_parameters(make_job: MakeJob, name: str) -> None:
    network = build_network(network_spec(make_job(model={"backbone": f"timm/{name}"}).model), taxa=3).eval()
    with torch.inference_mode():
        output = network(Bags.of_single_views(torch.zeros(1, 3, 64, 64, dtype=torch.uint8)))
    assert output.logits.shape == (1, 3)
    in_blocks = sum(parameter.numel() for block in network.blocks() for parameter in block.parameters())
    assert in_blocks == sum(parameter.numel() for parameter in network.backbone.parameters())


def test_its_normalisation_is_stored_in_the_bundle(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job(model={"backbone": "timm/tf_efficientnet_lite0"}, max_epochs=1)
    run = train(job, run=tmp_path / "run")
    bundle = read_bundle(run.folder)
    assert bundle.info.network.mean == (0.5, 0.5, 0.5)
    assert load_network(bundle).taxa == 2


def test_an_unknown_model_of_timm_is_refused_with_the_nearest_names(make_job: MakeJob) -> None:
    with pytest.raises(UsageError, match=r"no model 'convnext_naano'.*nearest names are convnext_nano"):
        network_spec(make_job(model={"backbone": "timm/convnext_naano"}).model)
