r"""Train the two networks of the leaf parser on drawn pictures and MIT-licensed masks; resumes where it stopped.

    python scripts/train_leaf_parser.py --out runs/leaf-parser --scenes runs/scenes --minutes 75 --shared ../shared
    python scripts/train_leaf_parser.py --out runs/leaf-parser --start src/leafid/sheets/leaf_parser/weights ...
    python scripts/train_leaf_parser.py --out runs/leaf-parser --export src/leafid/sheets/leaf_parser/weights

One process trains, one makes samples, one draws further scenes while there is time. `--minutes` is the time to train,
all runs together: the learning rate falls along it. Real masks come from every second sheet of SHARED/sheets/
masks_kymillev and every second leaf of SHARED/veins/coffee; the others are for measuring. Without `--shared` only
drawings are used. `--start` begins with exported weights instead of random ones; a checkpoint in OUT comes first.
"""

import argparse
import copy
import itertools
import json
import math
import multiprocessing
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from leaf_parser_losses import Batch, leaf_losses, overview_losses
from leaf_parser_optimiser import Orthogonal
from leaf_parser_samples import leaf_sample, mask_sample, overview_sample, readable
from leaf_parser_scenes import Scene, draw_into, real_scenes
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from leafid.sheets.leaf_parser.graph import leaf_graph, overview_graph
from leafid.sheets.leaf_parser.network import GraphNetwork, folded_weights, unfold
from leafid.sheets.leaf_parser.weights import read_weights, write_weights

OVERVIEWS, LEAVES = 18, 10
KERNEL_RATE, RATE, DECAY = 3e-3, 2e-3, 1e-2
AVERAGED = 0.998
REAL_SHARE = 0.06
"""Share of samples that come from real masks."""
STATISTICS = 4
"""Batches from which `--start` takes means and variances."""
REPORTED, SAVED = 25, 50
"""Steps to a line, and to a checkpoint."""


Arrays = dict[str, np.ndarray]


class Samples(IterableDataset[Batch]):
    """Endless batches of both kinds of samples from the scenes that lie in a folder at that time."""

    def __init__(self, folder: Path, shared: Path | None, seed: int) -> None:
        self.folder, self.shared, self.seed = folder, shared, seed

    def __iter__(self) -> Iterator[Batch]:
        """Make batches: each scene gives one overview and up to two leaves."""
        cv2.setNumThreads(1)
        random = np.random.default_rng(self.seed)
        real = [] if self.shared is None else real_scenes(self.shared, half=0)
        overviews: list[Arrays] = []
        leaves: list[Arrays] = []
        paths: list[Path] = []
        for number in itertools.count():
            if number % 200 == 0:
                paths = sorted(self.folder.glob("*.npz"))
            if real and random.random() < REAL_SHARE:
                scene = real[int(random.integers(len(real)))]
            else:
                scene = Scene.load(paths[int(random.integers(len(paths)))])
            if len(overviews) < OVERVIEWS:
                shown = overview_sample(scene, random)
                overviews.append({"overview": shown.pixels, "maps": shown.maps, "weights": shown.weights})
            if len(leaves) < LEAVES:
                leaves += _leaf_samples(scene, random)
            if len(overviews) >= OVERVIEWS and len(leaves) >= LEAVES:
                yield _stacked(overviews[:OVERVIEWS]) | _stacked(leaves[:LEAVES])
                overviews, leaves = overviews[OVERVIEWS:], leaves[LEAVES:]


def _leaf_samples(scene: Scene, random: np.random.Generator) -> list[Arrays]:
    if scene.kind == "leaf":
        samples = [mask_sample(scene, random)]
    else:
        chosen = random.permutation(readable(scene))[:2]
        samples = [leaf_sample(scene, int(number), random) for number in chosen]
    named: list[Arrays] = [{"view": sample.pixels, "prior": sample.prior, **sample.targets} for sample in samples]
    return named


def _stacked(samples: list[Arrays]) -> Batch:
    return {
        name: torch.from_numpy(
            np.stack(
                [sample[name] if sample[name].dtype == np.uint8 else np.float32(sample[name]) for sample in samples]
            )
        )
        for name in samples[0]
    }


class Trainer:
    """Both networks, their optimiser and moving averages, and how long they have been trained."""

    def __init__(self, out: Path, device: torch.device, seconds: float) -> None:
        torch.manual_seed(17)
        self.out, self.device, self.seconds = out, device, seconds
        graphs = (overview_graph(), leaf_graph())
        self.parts = {graph.name: GraphNetwork(graph, normalised=True) for graph in graphs}
        _expect_little(self.parts)
        self.networks = torch.nn.ModuleDict(self.parts).to(device)
        self.networks.to(memory_format=torch.channels_last)
        self.averages = copy.deepcopy(self.networks).eval()
        kernels = [value for value in self.networks.parameters() if value.ndim == 4 and value.shape[0] >= 16]
        chosen = {id(value) for value in kernels}
        others = [value for value in self.networks.parameters() if id(value) not in chosen]
        self.optimisers = (
            Orthogonal(kernels, KERNEL_RATE, DECAY),
            torch.optim.AdamW(others, lr=RATE, weight_decay=DECAY),
        )
        self.step, self.elapsed, self.before = 0, 0.0, time.monotonic()

    def load(self) -> bool:
        """Go on from the checkpoint, where there is one."""
        path = self.out / "checkpoint.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.networks.load_state_dict(state["networks"])
        self.averages.load_state_dict(state["averages"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step, self.elapsed = state["step"], state["elapsed"]
        return True

    def start_from(self, folder: Path, batches: list[Batch]) -> None:
        """Begin with exported weights; the batches give the normalisations their means and variances."""
        for name, network in self.parts.items():
            inputs = [self.inputs(name, each).to(self.device) for each in batches]
            unfold(network, read_weights(name, folder), inputs)
        self.averages.load_state_dict(self.networks.state_dict())

    def save(self) -> None:
        """Write the checkpoint; the one before is there until it is complete."""
        state = {
            "networks": self.networks.state_dict(),
            "averages": self.averages.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
            "elapsed": self.elapsed,
        }
        torch.save(state, self.out / "checkpoint.partial")
        (self.out / "checkpoint.partial").rename(self.out / "checkpoint.pt")

    def learn(self, batch: Batch) -> dict[str, float]:
        """One step of both networks."""
        warm = min(1.0, (self.step + 1) / 100)
        share = min(1.0, self.elapsed / self.seconds)
        factor = warm * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)
        for optimiser, rate in zip(self.optimisers, (KERNEL_RATE, RATE), strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * factor
        self.networks.train()
        parts = self.losses(self.networks, {name: value.to(self.device) for name, value in batch.items()})
        total = torch.stack(list(parts.values())).sum()
        self.networks.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.networks.parameters(), 5.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        self._average()
        now = time.monotonic()
        self.elapsed += now - self.before
        self.before = now
        return {name: float(value.detach()) for name, value in parts.items()}

    def losses(self, networks: torch.nn.ModuleDict, batch: Batch) -> dict[str, Tensor]:
        """All parts of the loss on a batch."""
        with torch.autocast(self.device.type, torch.bfloat16):
            maps = networks["overview"](self.inputs("overview", batch))[0]
            outputs = networks["leaf"](self.inputs("leaf", batch))
        return overview_losses(maps.float(), batch["maps"], batch["weights"]) | leaf_losses(outputs, batch)

    def inputs(self, network: str, batch: Batch) -> Tensor:
        """What a network is shown of a batch."""
        if network == "overview":
            shown = _pixels(batch["overview"])
        else:
            shown = torch.cat([_pixels(batch["view"]), batch["prior"][:, None] * 2 - 1], dim=1)
        return shown.contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(AVERAGED, (1 + self.step) / (10 + self.step))
        for mean, value in zip(self.averages.state_dict().values(), self.networks.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - keep)
            else:
                mean.copy_(value)

    def export(self, folder: Path) -> None:
        """Write the averaged weights, folded, in half precision."""
        for name, network in self.averages.items():
            assert isinstance(network, GraphNetwork)
            write_weights(folder, name, folded_weights(network))


@torch.no_grad()
def _expect_little(networks: dict[str, GraphNetwork]) -> None:
    """Begin with what is true of most pixels: no centre, end or line."""
    for network, head, channels in (
        ("overview", "maps", slice(2, 3)),
        ("leaf", "coarse", slice(0, 2)),
        ("leaf", "fine", slice(1, 4)),
        ("leaf", "rows", slice(0, 2)),
    ):
        convolution = networks[network].convolutions[head]
        assert isinstance(convolution, torch.nn.Conv2d) and convolution.bias is not None
        convolution.bias[channels] = -4.0


def _pixels(images: Tensor) -> Tensor:
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1


def draw_on(folder: Path, first: int, last: int) -> None:
    """Draw further scenes beside the training."""
    os.nice(3)
    cv2.setNumThreads(1)
    for _ in draw_into(folder, iter(range(first, last))):
        pass


def main() -> None:
    """Train and report, or export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint and the log")
    parser.add_argument("--scenes", type=Path, help="folder of drawn scenes; default: OUT/scenes")
    parser.add_argument("--shared", type=Path, help="folder with sheets/masks_kymillev and veins/coffee")
    parser.add_argument("--minutes", type=float, default=200, help="time to train, all runs together")
    parser.add_argument("--first", type=int, default=200, help="scenes drawn before training begins")
    parser.add_argument("--last", type=int, default=20_000, help="scenes drawn at most")
    parser.add_argument("--threads", type=int, default=1, help="threads of the training process")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="folder of exported weights to begin with")
    parser.add_argument("--export", type=Path, help="write the weights here instead of training")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trainer = Trainer(options.out, device, 60 * options.minutes)
    resumed = trainer.load()
    if options.export:
        trainer.export(options.export)
        return
    print(
        f"{'going on' if resumed else 'beginning'} at step {trainer.step}, {trainer.elapsed / 60:.1f} min", flush=True
    )
    torch.set_num_threads(options.threads)
    scenes = options.scenes or options.out / "scenes"
    for number, _ in enumerate(draw_into(scenes, iter(range(options.first))), start=1):
        if number % 50 == 0:
            print(f"{number}/{options.first} scenes", flush=True)
    drawing = multiprocessing.get_context("spawn").Process(
        target=draw_on, args=(scenes, options.first, options.last), daemon=True
    )
    drawing.start()
    loader = DataLoader(
        Samples(scenes, options.shared, options.seed + trainer.step), batch_size=None, num_workers=1, prefetch_factor=4
    )
    if options.start and not resumed:
        trainer.start_from(options.start, list(itertools.islice(iter(loader), STATISTICS)))
    recent: dict[str, list[float]] = defaultdict(list)
    trainer.before = time.monotonic()
    for batch in loader:
        for name, value in trainer.learn(batch).items():
            recent[name].append(value)
        done = trainer.elapsed >= trainer.seconds
        if trainer.step % REPORTED == 0 or done:
            means = {name: round(float(np.mean(values[-4 * REPORTED :])), 4) for name, values in recent.items()}
            print(f"{trainer.step} ({trainer.elapsed / 60:.1f} of {options.minutes:g} min) {means}", flush=True)
            with (options.out / "log.jsonl").open("a") as log:
                log.write(json.dumps({"step": trainer.step, "minutes": trainer.elapsed / 60} | means) + "\n")
        if trainer.step % SAVED == 0 or done:
            trainer.save()
        if done:
            break
    drawing.terminate()


if __name__ == "__main__":
    main()
