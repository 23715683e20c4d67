"""Check leafid on a machine with a GPU, in at most 8 minutes: parity with the CPU, fine-tuning in bf16, speed.

For each job (*Viola* and the fresh leaves): the linear probe is trained on the GPU; its answers to test photos are
compared with those of the CPU; all layers are fine-tuned in bf16 from three seeds, and each network is tested; images/s
of identification and, for the first job, the share of the bare step that training reaches. Every row is printed and
written as soon as it is measured, so that a run that is cut off has its first rows. When the time is nearly over, what
remains is listed as not measured.

    python scripts/gpu_check.py --shared ../shared --out runs/gpu-check
    python scripts/gpu_check.py --tiny --out runs/gpu-check-tiny   # any machine: drawn leaves, random weights, seconds

Views are prepared on the CPU cores of the machine: with 16 cores this takes about a minute for *Viola*. A second call
with the same ``--out`` finds them prepared.
"""

import argparse
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import bench_training
import numpy as np
import pandas as pd
import torch
from PIL import Image

from leafid import Identifier
from leafid.bundle import read_bundle
from leafid.catalog import write_catalog
from leafid.jobs import Job, load_job, with_settings
from leafid.learning import Run, build_network, load_network, predict_files, train
from leafid.learning.devices import choose_device
from leafid.learning.models.backbones import network_spec
from leafid.sources import collect
from leafid.trust import calibrate, evaluate

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
JOBS = ("bench-viola", "bench-remp")
EPOCHS, BATCH = 8, 32
PARITY_IMAGES, SPEED_IMAGES = 32, 200
RESERVE_S = 30
"""No measurement begins when less time is left, nor when the last one of its kind took longer than is left."""


@dataclass
class Table:
    """Rows of results, written to a file after each."""

    path: Path
    ends: float
    rows: list[dict[str, str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """Duration of the last measurement of each kind: the next one is expected to take as long."""

    def measure(self, job: str, what: str, measurement: Callable[[], Iterator[tuple[str, str]]]) -> None:
        """Run a measurement that yields names and values; add a row for each, or the reason why there is none."""
        left = self.ends - time.monotonic()
        kind = what.partition(",")[0]
        if left < max(RESERVE_S, 1.1 * self.seconds.get(kind, 0)):
            self.add(job, what, f"not measured: {left:.0f} s were left")
            return
        started = time.monotonic()
        try:
            for name, value in measurement():
                self.add(job, f"{what}: {name}", value)
        except Exception as error:  # the other rows are still worth having
            self.add(job, what, f"failed: {type(error).__name__}: {error}")
        self.seconds[kind] = time.monotonic() - started
        self.add(job, f"{what}: seconds", f"{self.seconds[kind]:.0f}")

    def add(self, job: str, what: str, value: str) -> None:
        """Print and write one row."""
        self.rows.append({"job": job, "what": what, "value": value})
        print(f"| {job} | {what} | {value} |", flush=True)
        self.path.write_text(json.dumps(self.rows, indent=2))


def tiny_job(out: Path) -> Job:
    """Draw leaves of two widths and return a job for them, with weights drawn at random."""
    random, rows = np.random.default_rng(0), []
    data = out / "data"
    data.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:64, :64]
    for number in range(32):
        width = (6, 16)[number % 2] + random.normal(0, 1)
        inside = ((x - 32) / width) ** 2 + ((y - 32) / 24) ** 2 < 1
        pixels = np.where(inside[..., None], (40, 110, 50), (235, 230, 215)) + random.normal(0, 6, (64, 64, 3))
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(data / f"{number}.png")
        part = "train" if number < 16 else "val" if number < 24 else "test"
        name = ("Viola alba", "Viola biflora")[number % 2]
        rows.append((f"{number:016x}", f"{number}.png", name, f"g{number}", part))
    columns = ["image_id", "path", "scientificName", "gathering_id", "split"]
    write_catalog(pd.DataFrame(rows, columns=columns), data / "catalog.csv")
    settings = {
        "name": "tiny",
        "recipe": "none",
        "sources": [{"kind": "folder", "path": str(data)}],
        "curation": {"split": {"by": "column"}, "near_duplicates": "allow"},
        "sheets": {"size": 32},
        "model": {"backbone": "mobilenet_v3_small", "weights": str(out / "weights.pth")},
        "training": {"workers": 0, "augmentation": "light"},
        "output": {"data": str(data)},
    }
    job = Job.model_validate(settings)
    torch.manual_seed(0)
    torch.save(build_network(network_spec(job.model), taxa=2).state_dict(), out / "weights.pth")
    return job


def shared_job(name: str, shared: Path, out: Path) -> Job:
    """Return a job of configs/ whose images and weights are in ``shared``; collect its images."""
    text = (CONFIGS / f"{name}.yaml").read_text().replace("../shared", str(shared.resolve()))
    path = out / f"{name}.yaml"
    path.write_text(text)
    job = load_job(path, [f"output.data={out / 'data' / name}"])
    if not job.catalog_path.is_file():
        collect(job)
    return job


def probe(job: Job, folder: Path) -> Iterator[tuple[str, str]]:
    """Train, calibrate and test the linear probe."""
    run = train(with_settings(job, {"training.mode": "probe"}), run=folder)
    calibrate(folder)
    yield from tested(run)


def tested(run: Run) -> Iterator[tuple[str, str]]:
    """Yield the likelihoods on val and macro-F1 on test."""
    for name, nll in run.info.val_nll.items():
        yield f"val NLL of {name}", f"{nll:.3f}"
    if run.info.kept:
        yield "kept", run.info.kept
    result = evaluate(run.folder, on="test")
    low, high = result.macro_f1_interval or (float("nan"),) * 2
    yield "test macro-F1", f"{result.macro_f1:.3f} ({low:.3f}-{high:.3f})"


def parity(folder: Path) -> Iterator[tuple[str, str]]:
    """Compare logits and answers of this machine's device with those of its CPU."""
    run, bundle = Run.open(folder), read_bundle(folder)
    rows = run.split[run.split["split"] == "test"].iloc[:: max(1, int((run.split["split"] == "test").sum()) // 32)]
    files = run.image_paths(rows)[:PARITY_IMAGES]
    outputs = [
        predict_files(load_network(bundle), files, bundle.info.preprocessing, device=torch.device(device))
        for device in (choose_device("auto").type, "cpu")
    ]
    here, cpu = (output.logits for output in outputs)
    yield "images", str(len(files))
    yield "largest difference of a logit, as a share of their spread", f"{np.abs(here - cpu).max() / cpu.std():.2g}"
    yield "same first candidate", f"{(here.argmax(axis=1) == cpu.argmax(axis=1)).mean():.3f}"


def fine_tuning(job: Job, folder: Path, seed: int, *, epochs: int, batch: int) -> Iterator[tuple[str, str]]:
    """Fine-tune in bf16 and test the network that is kept."""
    settings = {"training.mode": "fine-tune", "training.precision": "bf16", "training.max_epochs": epochs}
    run = train(with_settings(job, settings | {"training.batch_size": batch, "seed": seed}), run=folder)
    metrics = pd.read_csv(run.folder / "metrics.csv")
    yield "val NLL by epoch", ", ".join(f"{value:.3f}" for value in metrics["val_nll"])
    yield "training images/s", f"{metrics['images_per_s'].iloc[1:].mean():.1f}"
    if torch.cuda.is_available():
        yield "peak memory", f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB"
    calibrate(run.folder)
    yield from tested(run)


def share_of_bare_step(folder: Path) -> Iterator[tuple[str, str]]:
    """Compare the rate of a finished fine-tuning with that of its steps on batches in memory."""
    run = Run.open(folder)
    rates = pd.read_csv(run.folder / "metrics.csv")["images_per_s"].iloc[1:]
    bare = bench_training.bare_rate(run.job, run, bench_training.training_batches(run.job, run))
    yield "bare step images/s", f"{bare:.1f}"
    if len(rates):
        yield "share", f"{len(rates) / (1 / rates).sum() / bare:.3f}"


def identification(folder: Path) -> Iterator[tuple[str, str]]:
    """Measure images/s from files to records."""
    run = Run.open(folder)
    files = run.image_paths(run.split[run.split["split"] == "test"])
    identifier = Identifier.load(folder, engine="torch")
    list(identifier.identify(files[:4]))
    repeated = (files * SPEED_IMAGES)[: max(SPEED_IMAGES, len(files)) if len(files) > 16 else len(files)]
    started = time.perf_counter()
    failed = sum(record.status == "failed" for record in identifier.identify(repeated))
    yield "images/s", f"{len(repeated) / (time.perf_counter() - started):.1f} ({failed} of {len(repeated)} failed)"


def main() -> None:
    """Measure everything that the time allows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder of the real images and weights")
    parser.add_argument("--out", type=Path, required=True, help="folder for runs, views and results.json")
    parser.add_argument("--minutes", type=float, default=8, help="time to end within (default: 8)")
    parser.add_argument("--seeds", type=int, default=3, help="fine-tunings of each job (default: 3)")
    parser.add_argument("--tiny", action="store_true", help="drawn leaves, one epoch: a check of this script")
    options = parser.parse_args()
    started = time.monotonic()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out / "runs", ignore_errors=True)  # the prepared views are kept
    device = choose_device("auto")
    name = torch.cuda.get_device_name() if device.type == "cuda" else device.type
    print(f"device: {name}\n\n| job | what | value |\n| --- | --- | --- |", flush=True)
    table = Table(out / "results.json", started + 60 * options.minutes)
    table.add("", "device", name)
    jobs = [tiny_job(out)] if options.tiny else [shared_job(job, options.shared, out) for job in JOBS]
    epochs, batch = (2, 4) if options.tiny else (EPOCHS, BATCH)
    bench_training.MIN_SECONDS = 1 if options.tiny else 10
    bench_training.EPOCHS = epochs
    for job in jobs:
        folder = out / "runs" / job.name
        table.measure(job.name, "linear probe", partial(probe, job, folder / "probe"))
        table.measure(job.name, "parity with the CPU", partial(parity, folder / "probe"))
    for seed in range(options.seeds):
        for job in jobs:
            run = out / "runs" / job.name / f"seed {seed}"
            table.measure(
                job.name,
                f"fine-tuning in bf16, seed {seed}",
                partial(fine_tuning, job, run, seed, epochs=epochs, batch=batch),
            )
            if seed == 0:
                if job is jobs[0]:
                    table.measure(job.name, "training", partial(share_of_bare_step, run))
                table.measure(job.name, "identification", partial(identification, run))
    print(f"\n{time.monotonic() - started:.0f} s; {table.path}")


if __name__ == "__main__":
    main()
