r"""Pretrain a network on synthetic leaves, to measure whether reading synthetic veins helps with real ones.

Each leaf is drawn on demand and used once. Its characters are independent of each other: number of pairs of secondary
veins, their angle to the midrib, form of apex and of base. The network starts from the job's weights and learns to
predict these characters from a view of the job's size. Its backbone is written for `model.weights` of another job.

    python scripts/pretrain_on_synthetic_leaves.py configs/bench-viola.yaml --set sheets.size=224 \
        --set sheets.overview_size=null --set "model.scales=[1.0]" --leaves 9600 --out runs/synthetic/weights.pth
    leafid train configs/bench-viola.yaml --set model.weights=runs/synthetic/weights.pth --out runs/viola-synthetic

Each printed line shows the errors on the latest leaves before learning from them: pairs, degrees, shares of wrong
forms.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, Dataset

from leafid.demo import DEMO_TAXA, draw_leaf, sample_leaf, sample_plant
from leafid.demo.taxa import APEX_FORMS, BASE_FORMS
from leafid.jobs import load_job
from leafid.learning.data.bags import Bags
from leafid.learning.devices import choose_device, worker_count
from leafid.learning.fine_tuning.malloc_tuning import malloc_tuning_applies, tune_malloc
from leafid.learning.models.pretrained_weights import initialize_network
from leafid.sheets import downscale

PAIRS = (4, 16)
DEGREES = (30.0, 70.0)
LEARNING_RATES = (1e-4, 1e-3)
"""Highest learning rates of the backbone, and of pooling and head."""

STEPS_PER_LINE = 50


class SyntheticLeaves(Dataset[tuple[NDArray[np.uint8], NDArray[np.float32]]]):
    """Leaves on paper: views (S, S, 3) and targets (4,): pairs and angle scaled to 0..1, indices of apex and base."""

    def __init__(self, leaves: int, side: int, seed: int) -> None:
        self.leaves, self.side, self.seed = leaves, side, seed

    def __len__(self) -> int:
        """Return the number of leaves."""
        return self.leaves

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Draw a leaf and return its view and targets."""
        random = np.random.default_rng((self.seed, index))
        plant = sample_plant(str(random.choice(DEMO_TAXA)), random)
        pairs, angle = int(random.integers(PAIRS[0], PAIRS[1] + 1)), float(random.uniform(*DEGREES))
        apex, base = int(random.integers(len(APEX_FORMS))), int(random.integers(len(BASE_FORMS)))
        traits = replace(
            sample_leaf(plant, random),
            pairs_left=pairs,
            pairs_right=pairs,
            vein_angle_deg=angle,
            apex_form=APEX_FORMS[apex],
            base_form=BASE_FORMS[base],
        )
        leaf = draw_leaf(
            traits,
            plant.look,
            random,
            px_per_mm=0.9 * self.side / max(traits.length_mm + traits.tip_mm, traits.width_mm),
            face="adaxial" if random.random() < 0.5 else "abaxial",
            direction_deg=float(random.uniform(-20, 20)),
        )
        paper = np.full(leaf.image.shape, random.uniform(200, 250, size=3), dtype=np.float64)
        view = _square(leaf.on_background(paper.astype(np.uint8)), self.side)
        targets = [(pairs - PAIRS[0]) / np.ptp(PAIRS), (angle - DEGREES[0]) / np.ptp(DEGREES), apex, base]
        return view, np.array(targets, dtype=np.float32)


def _square(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Reduce an image to fit into a square and centre it on its own paper colour."""
    small = downscale(image, side)[:side, :side]
    view = np.broadcast_to(image[0, 0], (side, side, 3)).copy()
    top, left = (side - small.shape[0]) // 2, (side - small.shape[1]) // 2
    view[top : top + small.shape[0], left : left + small.shape[1]] = small
    return view


def losses(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss, and the mean errors of pairs, degrees, apex and base (4,)."""
    numbers, apex, base = torch.split(outputs, [2, len(APEX_FORMS), len(BASE_FORMS)], dim=1)
    apex_truth, base_truth = targets[:, 2].long(), targets[:, 3].long()
    loss = (
        4 * functional.smooth_l1_loss(numbers, targets[:, :2], beta=0.1)
        + functional.cross_entropy(apex, apex_truth)
        + functional.cross_entropy(base, base_truth)
    )
    off = (numbers - targets[:, :2]).abs().mean(dim=0) * torch.tensor([np.ptp(PAIRS), np.ptp(DEGREES)]).to(numbers)
    wrong = torch.stack([(apex.argmax(1) != apex_truth).float().mean(), (base.argmax(1) != base_truth).float().mean()])
    return loss, torch.cat([off, wrong]).detach()


def main() -> None:
    """Train, print the errors and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--leaves", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    job = load_job(options.job, options.overrides)
    device = choose_device(job.training.device)
    torch.manual_seed(job.seed)
    network, _ = initialize_network(job.model, 2 + len(APEX_FORMS) + len(BASE_FORMS))
    network.to(device).train()
    loader = DataLoader(
        SyntheticLeaves(options.leaves, job.sheets.size, job.seed),
        options.batch,
        num_workers=worker_count(job.training.workers),
        drop_last=True,
    )
    groups = [
        {"params": network.backbone.parameters(), "lr": LEARNING_RATES[0]},
        {"params": [*network.pooling.parameters(), *network.head.parameters()], "lr": LEARNING_RATES[1]},
    ]
    optimizer = AdamW(groups, weight_decay=job.training.weight_decay)
    schedule = OneCycleLR(optimizer, list(LEARNING_RATES), total_steps=len(loader), pct_start=0.1)
    if malloc_tuning_applies(job, device):
        tune_malloc()
    started = time.monotonic()
    recent: list[Tensor] = []
    for step, (views, targets) in enumerate(loader, start=1):
        pixels = views.permute(0, 3, 1, 2).to(device)
        loss, wrong = losses(network(Bags.of_single_views(pixels)).logits.float(), targets.to(device))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        recent = [*recent[-STEPS_PER_LINE + 1 :], wrong.cpu()]
        if step % STEPS_PER_LINE == 0 or step == len(loader):
            pairs, degrees, apex, base = torch.stack(recent).mean(dim=0).tolist()
            print(
                f"{step}/{len(loader)} ({time.monotonic() - started:.0f} s): off by {pairs:.2f} pairs, "
                f"{degrees:.1f} degrees; wrong: {apex:.0%} of apices, {base:.0%} of bases",
                flush=True,
            )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(network.cpu().state_dict(), options.out)


if __name__ == "__main__":
    main()
