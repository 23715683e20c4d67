"""CNNs and transformers of timm as backbones: built, trained, and loaded from a bundle."""

from pathlib import Path

import pytest
import torch

from leafid.bundle import read_bundle
from leafid.errors import UsageError
from leafid.learning import Bags, build_network, load_network, train
from leafid.learning.fine_tuning.checkpoints import network_state, read_checkpoint
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


@pytest.mark.parametrize("name", ["test_vit", "swin_tiny_patch4_window7_224"])
def test_a_transformer_sees_views_of_any_size(make_job: MakeJob, name: str) -> None:
    job = make_job(model={"backbone": f"timm/{name}", "scales": [1.0, 0.7]})
    network = build_network(network_spec(job.model), taxa=3).eval()
    with torch.inference_mode():
        output = network(Bags.of_single_views(torch.randint(0, 256, (2, 3, 72, 72), dtype=torch.uint8)))
    assert output.logits.shape == (2, 3) and output.logits[0].ne(output.logits[1]).any()


def test_a_transformer_gets_a_probe_and_is_fine_tuned(make_job: MakeJob, tmp_path: Path) -> None:
    model: dict[str, object] = {"backbone": "timm/test_vit"}
    network = build_network(network_spec(make_job(model=model).model), taxa=2)
    weights = tmp_path / "weights.pth"
    torch.save({name: value for name, value in network.backbone.state_dict().items()}, weights)
    probe = train(make_job(model=model | {"weights": str(weights)}, mode="probe"), run=tmp_path / "probe")
    assert probe.info.kept == "probe"
    tuned = train(make_job(model=model | {"weights": str(weights)}, max_epochs=1), run=tmp_path / "tuned")
    before = network_state(read_checkpoint(tuned.checkpoints / "start.ckpt"))
    after = network_state(read_checkpoint(tuned.checkpoints / "best.ckpt"))
    moved = [name for name, value in after.items() if not torch.equal(value, before[name])]
    assert {"backbone.cls_token", "backbone.pos_embed", "head.1.weight"} <= set(moved)


def test_an_unknown_model_is_refused_before_training_looks_at_images(make_job: MakeJob, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nearest names are convnext_nano"):
        train(make_job(model={"backbone": "timm/convnext_naano"}), run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unknown_model_of_timm_is_refused_with_the_nearest_names(make_job: MakeJob) -> None:
    with pytest.raises(UsageError, match=r"no model 'convnext_naano'.*nearest names are convnext_nano"):
        network_spec(make_job(model={"backbone": "timm/convnext_naano"}).model)
