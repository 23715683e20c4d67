"""Measure the recipes and the peers on the same images: accuracy, speed of identification, cost of training.

    python scripts/bench_presets.py configs/bench-viola.yaml configs/bench-remp.yaml --out runs/bench-presets

For each job and recipe: trains as ``leafid train`` does, evaluates on test, exports to OpenVINO and identifies the test
images from their paths to a CSV file. Macro-F1 and the share of test images that get a name are those of ``leafid
evaluate``. Images/s and CPU ms are those of the loop, without start and loading; CPU times are summed over all threads
and processes, and more reliable than images/s on a busy machine. Full-size sheets, which have no names to compare, are
timed too (``--sheets``). Finished runs are kept: the same command goes on where it was interrupted.

Peers (fastai, timm, ultralytics) are fine-tuned from the same weights on the same images; see
``bench_peer_training.py``. They name every image. Their environment is created if it is missing.

``accurate`` and ``fine-tuned`` (``balanced`` with ``training.mode: fine-tune``) take an hour or more without a GPU;
they run only if named in ``--recipes``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench_identify import Result, measure, peers_python, repeated

from leafid.cores import usable_cores
from leafid.jobs import load_job

if TYPE_CHECKING:
    from leafid.learning import Run

RECIPES: dict[str, tuple[str, ...]] = {
    "balanced": ("recipe=balanced",),
    "fast": ("recipe=fast",),
    "fine-tuned": ("recipe=balanced", "training.mode=fine-tune"),
    "accurate": ("recipe=accurate",),
}
"""Settings of each row."""
PEERS = ("fastai", "timm", "ultralytics")
PEER_EPOCHS = 9
"""fastai's ``fine_tune(8)``: one epoch of the head, eight of all layers. The other peers get as many."""
ENGINE = "openvino"
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Row:
    """Figures of one recipe on one set of images."""

    job: str
    recipe: str
    macro_f1: float
    answered: float
    training_cpu_seconds: float
    images_per_second: float
    cpu_ms: float
    sheets_per_second: float | None
    sheet_cpu_ms: float | None


def leafid(*arguments: str) -> float:
    """Run a command of leafid; return its CPU seconds, with those of its worker processes."""
    before = sum(os.times()[2:4])
    subprocess.run([sys.executable, "-m", "leafid", *arguments], check=True)
    return sum(os.times()[2:4]) - before


def trained(config: Path, recipe: str, out: Path) -> tuple[Path, float]:
    """Return the run of a job with a recipe, evaluated and exported, and the CPU seconds that training took."""
    job = load_job(config)
    run = out / f"{job.name}-{recipe}"
    cost = out / f"{run.name}.training.json"
    if not job.catalog_path.is_file():
        leafid("collect", str(config))
    if not cost.is_file():
        settings = [part for setting in RECIPES[recipe] for part in ("--set", setting)]
        seconds = leafid("train", str(config), *settings, "--out", str(run))
        cost.write_text(json.dumps({"cpu_seconds": seconds}))
    if not (run / "evaluation" / "test" / "evaluation.json").is_file():
        leafid("evaluate", str(run), "--on", "test")
    if not (run / "bundle" / "engines" / ENGINE).is_dir():
        leafid("export", str(run), "--to", ENGINE)
    return run, float(json.loads(cost.read_text())["cpu_seconds"])


def timed(run: Path, images: list[Path], count: int, name: str, folder: Path) -> Result | None:
    """Time the identification of ``count`` of the images, in turn where there are fewer."""
    if not images or not count:
        return None
    links = Path(tempfile.mkdtemp(dir=folder)) / "images"
    python = Path(sys.executable)
    return measure(f"leafid {ENGINE}", run.name, name, repeated(images, count, links), run / "bundle", python, folder)


def measured(config: Path, recipe: str, options: argparse.Namespace, folder: Path) -> Row | None:
    """Return the row of one recipe; None if its identification failed, which is printed."""
    from leafid.learning import Run

    folder_of_run, seconds = trained(config, recipe, options.out)
    run = Run.open(folder_of_run)
    test = run.image_paths(run.split[run.split["split"] == "test"])
    photos = timed(folder_of_run, test, options.images, "test images", folder)
    sheets = timed(folder_of_run, sorted(options.sheets.glob("*.jpg")), options.sheet_images, "sheets", folder)
    if photos is None:
        return None
    evaluation = json.loads((folder_of_run / "evaluation" / "test" / "evaluation.json").read_text())
    return Row(
        job=run.job.name,
        recipe=recipe,
        macro_f1=evaluation["macro_f1"],
        answered=1 - evaluation["undetermined_share"],
        training_cpu_seconds=seconds,
        images_per_second=photos.rate,
        cpu_ms=photos.cpu_ms,
        sheets_per_second=None if sheets is None else sheets.rate,
        sheet_cpu_ms=None if sheets is None else sheets.cpu_ms,
    )


def peer_row(run: "Run", peer: str, python: Path, out: Path) -> Row:
    """Return the row of a peer, fine-tuned on the images of a run; its figures are kept."""
    kept = out / f"{run.job.name}-{peer}.json"
    if not kept.is_file():
        settings = out / f"{run.job.name}-peers.settings.json"
        settings.write_text(json.dumps(peer_settings(run)))
        command = [str(python), str(HERE / "bench_peer_training.py"), peer, str(settings)]
        print(f"{run.job.name}: {peer} is fine-tuned", file=sys.stderr)
        ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        kept.write_text(ended.stdout.splitlines()[-1] + "\n")
    figures = json.loads(kept.read_text())
    return Row(
        job=run.job.name,
        recipe=peer,
        macro_f1=figures["test_macro_f1"],
        answered=1.0,
        training_cpu_seconds=figures["training_cpu_seconds"],
        images_per_second=figures["images_per_second"],
        cpu_ms=figures["cpu_ms"],
        sheets_per_second=None,
        sheet_cpu_ms=None,
    )


def peer_settings(run: "Run") -> dict[str, object]:
    """Return what ``bench_peer_training.py`` reads: the run's images, labels and weights."""
    images = {}
    for part, rows in run.split.groupby("split"):
        labels = run.info.taxonomy.labels(list(rows["scientificName"]))
        images[str(part)] = [
            (str(path.resolve()), int(label)) for path, label in zip(run.image_paths(rows), labels, strict=True)
        ]
    return {
        "weights": str(Path(run.job.model.weights).resolve()),
        "images": images,
        "taxa": len(run.info.taxonomy),
        "epochs": PEER_EPOCHS,
        "seed": run.job.seed,
        "cores": usable_cores(),
    }


def table(rows: list[Row]) -> str:
    """Return the rows as Markdown."""
    head = ("job", "recipe", "test macro-F1", "named", "images/s", "CPU ms per image", "sheets/s", "CPU ms per sheet")
    lines = [f"{usable_cores()} cores", "", f"| {' | '.join(head)} | CPU s of training |"]
    lines += ["| --- | --- |" + " ---: |" * 7]
    for row in rows:
        sheets = ("", "")
        if row.sheets_per_second is not None and row.sheet_cpu_ms is not None:
            sheets = (f"{row.sheets_per_second:.1f}", f"{row.sheet_cpu_ms:.0f}")
        cells = (row.job, row.recipe, f"{row.macro_f1:.3f}", f"{row.answered:.0%}", f"{row.images_per_second:.1f}")
        lines.append(f"| {' | '.join((*cells, f'{row.cpu_ms:.0f}', *sheets, f'{row.training_cpu_seconds:.0f}'))} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure all recipes and peers on all jobs; write and print the table."""
    from leafid.learning import Run

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", type=Path, nargs="+", help="job files with a prescribed test set")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs, presets.md and presets.json")
    parser.add_argument("--recipes", nargs="+", choices=list(RECIPES), default=["balanced", "fast"])
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--peers-environment", type=Path, help="environment of the peers; created if missing")
    parser.add_argument("--images", type=int, default=200, help="test images to time, in turn where there are fewer")
    parser.add_argument("--sheets", type=Path, default=Path("../shared/sheets/full_size"), help="folder of scans")
    parser.add_argument("--sheet-images", type=int, default=40, help="scans to time, in turn where there are fewer")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    python = peers_python(options.peers_environment or options.out / "peers") if options.peers else Path()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="leafid-bench-") as made:
        for config in options.jobs:
            for recipe in options.recipes:
                row = measured(config, recipe, options, Path(made))
                rows += [row] if row else []
                write(options.out, rows)
            run = Run.open(options.out / f"{load_job(config).name}-{options.recipes[0]}")
            for peer in options.peers:
                rows.append(peer_row(run, peer, python, options.out))
                write(options.out, rows)
    print((options.out / "presets.md").read_text())


def write(out: Path, rows: list[Row]) -> None:
    """Write figures and table after each row, so that an interruption loses little."""
    (out / "presets.json").write_text(json.dumps([asdict(each) for each in rows], indent=1) + "\n")
    (out / "presets.md").write_text(table(rows))


if __name__ == "__main__":
    main()
