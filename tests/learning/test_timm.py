"""CNNs of timm as backbones: built, trained, and read back from a bundle."""

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
def test_it_gives_logits_and_its_blocks_hold_all_of_it(make_job: MakeJob, name: str) -> None:
    network = build_network(network_spec(make_job(model={"backbone": f"timm/{name}"}).model), taxa=3).eval()
    with torch.inference_mode():
        answers = network(Bags.of_single_views(torch.zeros(1, 3, 64, 64, dtype=torch.uint8)))
    assert answers.logits.shape == (1, 3)
    in_blocks = sum(parameter.numel() for block in network.blocks() for parameter in block.parameters())
    assert in_blocks == sum(parameter.numel() for parameter in network.backbone.parameters())


def test_its_own_normalisation_goes_into_the_bundle(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job(model={"backbone": "timm/tf_efficientnet_lite0"}, max_epochs=1)
    run = train(job, run=tmp_path / "run")
    bundle = read_bundle(run.folder)
    assert bundle.info.network.mean == (0.5, 0.5, 0.5)
    assert load_network(bundle).taxa == 2


def test_a_model_that_timm_lacks_is_refused_with_others_to_choose_from(make_job: MakeJob) -> None:
    with pytest.raises(UsageError, match=r"no model 'convnext_huge_pine'.*convnext_"):
        network_spec(make_job(model={"backbone": "timm/convnext_huge_pine"}).model)
