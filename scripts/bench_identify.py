"""Measure identification end to end, compared with timm, ultralytics and torchvision, and with its own limits.

    python scripts/bench_identify.py --shared ../shared --out runs/bench-identify

Three sets of files: photos of 640 x 480 pixels, photos of 12 megapixels, and herbarium sheets of 21 to 24 megapixels,
made or repeated from ``../shared``. Every runner has its own process. Images/s cover the whole loop from paths to
predictions on disk, without start and loading. Memory is the peak over all its processes together (PSS, sampled twice a
second, since sampling costs them time). CPU ms are summed over all its processes; they are more reliable than images/s
on a busy machine. Networks have random weights. Peers use batches of 16 and one reading process per core. They run in
an environment of their own, created if missing; ``--peers`` names an existing one.

Two limits: the engine alone on views in memory, and reading and preparation alone without an engine. Both share the
same cores, so no pipeline can be faster than one after the other on all cores: ``of both`` is the share of that speed,
``of the slower`` the share of the slower limit.

Takes about half an hour on 2 cores.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from bench_identify_runners import PEERS, RUNNERS, TAXA
from PIL import Image

from leafid.cores import usable_cores

NETWORKS = ("mobilenet_v3_large", "resnet50")
SETS = ("small photos", "12 MP photos", "24 MP sheets")
SEVERAL = "several views"  # first network, leafid alone: peers see one view
LIMITS = ("limit: openvino only", "limit: reading only")
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Result:
    """Figures of one runner on one set of images with one network."""

    images_of: str
    network: str
    runner: str
    images: int
    seconds: float
    cpu_seconds: float
    peak_mb: float

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds per image, summed over all cores."""
        return 1000 * self.cpu_seconds / self.images


def image_sets(shared: Path, folder: Path, counts: Sequence[int]) -> dict[str, list[Path]]:
    """Return the files of each set; makes those of 12 megapixels. Every path is a link of its own."""
    small = sorted((shared / "bench" / "leaf_remp").rglob("*.jpg"))
    sheets = sorted((shared / "sheets" / "full_size").glob("*.jpg"))
    if not small or not sheets:
        raise SystemExit(f"{shared} lacks bench/leaf_remp or sheets/full_size: name another folder with --shared.")
    phone = []
    for sheet in sheets:
        made = folder / f"12mp-{sheet.name}"
        with Image.open(sheet) as image:
            image.convert("RGB").resize((3000, 4000)).save(made, quality=90)
        phone.append(made)
    return {
        name: repeated(files, count, folder / name.replace(" ", "-"))
        for name, files, count in zip(SETS, (small, phone, sheets), counts, strict=True)
    }


def repeated(files: Sequence[Path], count: int, folder: Path) -> list[Path]:
    """Return ``count`` links to the files: in turn where there are fewer, evenly spread where there are more."""
    folder.mkdir()
    selected = files[:: max(1, len(files) // count)]
    links = [folder / f"{number:06d}.jpg" for number in range(count)]
    for number, link in enumerate(links):
        link.symlink_to(selected[number % len(selected)].resolve())
    return links


def make_bundle(folder: Path, backbone: str, images: Sequence[Path], *, several_views: bool = False) -> Path:
    """Write a bundle with random weights and its compiled engines."""
    import torch

    from leafid.bundle import BundleInfo, Decision, NetworkSpec, Provenance, write_bundle
    from leafid.identify import COMPILED, export_engine
    from leafid.jobs import Preprocessing, ViewCounts
    from leafid.learning import build_network
    from leafid.taxonomy import Taxonomy

    torch.manual_seed(0)
    views = ViewCounts(plant=1, leaves=6, tiles=4) if several_views else ViewCounts(image=1)
    spec = NetworkSpec(backbone=backbone, dropout=0.0, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    provenance = {"job": {}, "created": datetime.now(UTC), "seed": 0, "catalog_sha256": "", "git_commit": None}
    provenance |= {"versions": {}, "images": {}, "gatherings": {}, "best_epoch": 0, "val_macro_f1": None}
    info = BundleInfo(
        name=backbone,
        taxonomy=Taxonomy.from_names(
            [f"Mitragyna {'abcdefghijklmnopqrstuvwxyz'[n % 26] * (3 + n // 26)}" for n in range(TAXA)]
        ),
        preprocessing=Preprocessing(views=views),
        network=spec,
        decision=Decision(min_probability=0.5),
        provenance=Provenance.model_validate(provenance),
        weights_sha256="",
    )
    write_bundle(folder, info, build_network(spec, TAXA).eval().state_dict(), "# Random weights, for timing\n")
    for engine in COMPILED:
        export_engine(folder, engine, images)
    return folder


def measure(
    runner: str, network: str, images_of: str, images: Sequence[Path], bundle: Path, python: Path, folder: Path
) -> Result | None:
    """Run a runner in its own process and sample its memory; return None if it fails."""
    settings = folder / "settings.json"
    output = Path(tempfile.mkdtemp(dir=folder)) / "predictions"
    arguments = {"network": network, "images": [str(image) for image in images], "output": str(output)}
    settings.write_text(json.dumps(arguments | {"bundle": str(bundle), "cores": usable_cores()}))
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    environment["YOLO_CONFIG_DIR"] = str(folder)
    command = [str(python), str(HERE / "bench_identify_runners.py"), runner, str(settings)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as child:
        peak = 0.0
        while child.poll() is None:
            peak = max(peak, memory_mb(child.pid))
            time.sleep(0.5)
        printed, errors = child.communicate()
    if child.returncode:
        print(f"{runner}, {network}, {images_of}: failed\n{errors[-2000:]}", file=sys.stderr)
        return None
    timed = json.loads(printed.splitlines()[-1])
    result = Result(images_of, network, runner, timed["images"], timed["seconds"], timed["cpu_seconds"], peak)
    print(
        f"{images_of:13} {network:19} {runner:21} {result.rate:7.1f}/s {result.cpu_ms:7.1f} CPU ms {peak:6.0f} MB",
        file=sys.stderr,
    )
    return result


def memory_mb(pid: int) -> float:
    """Return the memory of a process and its children; shared pages count once (PSS)."""
    total = 0
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            total += process.memory_full_info().pss
    except psutil.Error:
        pass  # a process has ended in the meantime
    return total / 1e6


def peers_python(folder: Path) -> Path:
    """Return the Python of the peers' environment; create it, with this environment's torch, if it is missing."""
    from importlib.metadata import version

    python = folder / "bin" / "python"
    if not python.exists():
        uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
        torch_versions = [f"{name}=={version(name).partition('+')[0]}" for name in ("torch", "torchvision")]
        subprocess.run([uv, "venv", "--python", sys.executable, folder], check=True)
        # ultralytics installs an OpenCV that needs a display. The headless one replaces it, as both are the module cv2.
        for packages in ([*torch_versions, "timm", "ultralytics", "fastai"], ["--reinstall", "opencv-python-headless"]):
            subprocess.run([uv, "pip", "install", "--python", python, *packages], check=True)
    return python


def table(results: Sequence[Result], machine: str) -> str:
    """Return the results as Markdown."""
    lines = [machine, ""]
    for network, images_of in dict.fromkeys((one.network, one.images_of) for one in results):
        here = [one for one in results if (one.network, one.images_of) == (network, images_of)]
        fastest = max((one.rate for one in here if one.runner in PEERS), default=None)
        limits = [one.rate for one in here if one.runner in LIMITS]
        lines += [f"**{network}, {here[0].images} {images_of}**", ""]
        lines += ["| runner | images/s | CPU ms per image | times fastest peer | of the slower limit | of both | MB |"]
        lines += ["| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
        for one in here:
            times = f"{one.rate / fastest:.2f}" if fastest else ""
            slower = both = ""
            if len(limits) == len(LIMITS) and one.runner == "leafid openvino":
                slower = f"{one.rate / min(limits):.0%}"
                both = f"{one.rate * sum(1 / limit for limit in limits):.0%}"
            cells = (f"{one.rate:.1f}", f"{one.cpu_ms:.1f}", times, slower, both, f"{one.peak_mb:.0f}")
            lines.append(f"| {one.runner} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Run all measurements; write and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, required=True, help="folder for bench.md and bench.json")
    parser.add_argument("--peers", type=Path, help="environment of the peers; created if missing")
    parser.add_argument("--counts", type=int, nargs=3, default=[1000, 200, 100], help="number of images in each set")
    parser.add_argument("--networks", nargs="+", default=[*NETWORKS, SEVERAL])
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--runners", nargs="+", default=list(RUNNERS), choices=list(RUNNERS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    peers = peers_python(options.peers or options.out / "peers") if set(PEERS) & set(options.runners) else Path()
    results: list[Result] = []
    plan = [
        (network, images_of, runner)
        for network in options.networks
        for images_of in options.sets
        for runner in options.runners
        if network != SEVERAL or (runner not in PEERS and runner.endswith(("openvino", "only")))
    ]
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="leafid-bench-") as made:
        folder = Path(made)
        sets = image_sets(options.shared, folder, options.counts)
        for number, (network, images_of, runner) in enumerate(plan, start=1):
            bundle = folder / network
            if not bundle.exists():
                several = network == SEVERAL
                make_bundle(bundle, NETWORKS[0] if several else network, sets[SETS[0]][:8], several_views=several)
            print(f"{number}/{len(plan)}, {(time.perf_counter() - started) / 60:3.0f} min: ", end="", file=sys.stderr)
            python = peers if runner in PEERS else Path(sys.executable)
            result = measure(runner, network, images_of, sets[images_of], bundle, python, folder)
            results += [result] if result else []
            write(options.out, results)
    print((options.out / "bench.md").read_text())


def write(folder: Path, results: Sequence[Result]) -> None:
    """Write table and figures after each measurement, so that an interruption loses little."""
    machine = f"{usable_cores()} cores; {datetime.now(UTC):%Y-%m-%d}"
    rows: list[dict[str, Any]] = [asdict(result) for result in results]
    (folder / "bench.json").write_text(json.dumps({"machine": machine, "results": rows}, indent=1) + "\n")
    (folder / "bench.md").write_text(table(results, machine))


if __name__ == "__main__":
    main()
