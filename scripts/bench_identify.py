"""Measure identification end to end next to timm, ultralytics and a loop over torchvision, and next to its own limits.

    python scripts/bench_identify.py --shared ../shared --out runs/bench-identify

Three sets of files: small photos of 640 x 480 pixels, photos of 12 megapixels and herbarium sheets of 21 to 24, made
or repeated from ``../shared``. Every way runs in a process of its own; images/s are those of the whole loop from paths
to answers on disk, without start and loading; memory is the peak of its processes together (PSS, asked twice a second:
to ask costs them time). CPU ms are those of all its processes: they tell more than images/s where something else wants
the cores. Networks have random weights. Peers work with batches of 16 and a reading process for each core; they run in
an environment of their own, which is made if it is not there: name one with ``--peers``.

The limits: views already in memory through the engine, and files opened and prepared without an engine. Where both
share the same cores, no pipeline can be faster than the two one after the other on all cores; ``of both`` is the share
of that which is reached, ``of the slower`` the share of the slower limit alone.

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
from bench_identify_ways import PEERS, TAXA, WAYS
from PIL import Image

from leafid.cores import usable_cores

NETWORKS = ("mobilenet_v3_large", "resnet50")
SETS = ("small photos", "12 MP photos", "24 MP sheets")
SEVERAL = "several views"  # of the first network, by leafid alone: peers see one
LIMITS = ("limit: openvino only", "limit: reading only")
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Result:
    """One way on one set with one network."""

    images_of: str
    network: str
    way: str
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
        """Milliseconds of all cores together that an image takes."""
        return 1000 * self.cpu_seconds / self.images


def image_sets(shared: Path, folder: Path, counts: Sequence[int]) -> dict[str, list[Path]]:
    """Return the files of each set; those of 12 megapixels are made. Each name stands for a file of its own."""
    small = sorted((shared / "bench" / "leaf_remp").rglob("*.jpg"))
    sheets = sorted((shared / "sheets" / "full_size").glob("*.jpg"))
    if not small or not sheets:
        raise SystemExit(f"{shared} has no bench/leaf_remp or no sheets/full_size.")
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
    """Link to the files, in turn, until there are ``count``; spread over all of them where there are more."""
    folder.mkdir()
    chosen = files[:: max(1, len(files) // count)]
    links = [folder / f"{number:06d}.jpg" for number in range(count)]
    for number, link in enumerate(links):
        link.symlink_to(chosen[number % len(chosen)].resolve())
    return links


def make_bundle(folder: Path, backbone: str, images: Sequence[Path], *, several_views: bool = False) -> Path:
    """Write a bundle with random weights and its engines."""
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
    way: str, network: str, images_of: str, images: Sequence[Path], bundle: Path, python: Path, folder: Path
) -> Result | None:
    """Run a way in a process of its own and watch its memory; None when it fails."""
    settings = folder / "settings.json"
    output = Path(tempfile.mkdtemp(dir=folder)) / "answers"
    told = {"network": network, "images": [str(image) for image in images], "output": str(output)}
    settings.write_text(json.dumps(told | {"bundle": str(bundle), "cores": usable_cores()}))
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    environment["YOLO_CONFIG_DIR"] = str(folder)
    command = [str(python), str(HERE / "bench_identify_ways.py"), way, str(settings)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run:
        peak = 0.0
        while run.poll() is None:
            peak = max(peak, memory_mb(run.pid))
            time.sleep(0.5)
        printed, complaint = run.communicate()
    if run.returncode:
        print(f"{way}, {network}, {images_of}: failed\n{complaint[-2000:]}", file=sys.stderr)
        return None
    timed = json.loads(printed.splitlines()[-1])
    result = Result(images_of, network, way, timed["images"], timed["seconds"], timed["cpu_seconds"], peak)
    print(
        f"{images_of:13} {network:19} {way:21} {result.rate:7.1f}/s {result.cpu_ms:7.1f} CPU ms {peak:6.0f} MB",
        file=sys.stderr,
    )
    return result


def memory_mb(pid: int) -> float:
    """Return the memory of a process and its children, what they share counted once."""
    total = 0
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            total += process.memory_full_info().pss
    except psutil.Error:
        pass  # one has ended meanwhile
    return total / 1e6


def peers_python(folder: Path) -> Path:
    """Return the Python of the peers' environment; make it with the torch of this one if it is not there."""
    from importlib.metadata import version

    python = folder / "bin" / "python"
    if not python.exists():
        uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
        same = [f"{name}=={version(name).partition('+')[0]}" for name in ("torch", "torchvision")]
        subprocess.run([uv, "venv", "--python", sys.executable, folder], check=True)
        # ultralytics would bring an OpenCV that needs a display; both are one module, and the last one stays.
        for packages in ([*same, "timm", "ultralytics"], ["--reinstall", "opencv-python-headless"]):
            subprocess.run([uv, "pip", "install", "--python", python, *packages], check=True)
    return python


def table(results: Sequence[Result], machine: str) -> str:
    """Return the results as Markdown."""
    lines = [machine, ""]
    for network, images_of in dict.fromkeys((one.network, one.images_of) for one in results):
        here = [one for one in results if (one.network, one.images_of) == (network, images_of)]
        fastest = max((one.rate for one in here if one.way in PEERS), default=None)
        limits = [one.rate for one in here if one.way in LIMITS]
        lines += [f"**{network}, {here[0].images} {images_of}**", ""]
        lines += ["| way | images/s | CPU ms per image | times the fastest peer | of the slower limit | of both | MB |"]
        lines += ["| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
        for one in here:
            times = f"{one.rate / fastest:.2f}" if fastest else ""
            slower = both = ""
            if len(limits) == len(LIMITS) and one.way == "leafid openvino":
                slower = f"{one.rate / min(limits):.0%}"
                both = f"{one.rate * sum(1 / limit for limit in limits):.0%}"
            cells = (f"{one.rate:.1f}", f"{one.cpu_ms:.1f}", times, slower, both, f"{one.peak_mb:.0f}")
            lines.append(f"| {one.way} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Print the table and write it with the numbers behind it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, required=True, help="folder for bench.md and bench.json")
    parser.add_argument("--peers", type=Path, help="environment of the peers; made if it is not there")
    parser.add_argument("--counts", type=int, nargs=3, default=[1000, 200, 100], help="images of each set")
    parser.add_argument("--networks", nargs="+", default=[*NETWORKS, SEVERAL])
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    peers = peers_python(options.peers or options.out / "peers") if set(PEERS) & set(options.ways) else Path()
    results: list[Result] = []
    plan = [
        (network, images_of, way)
        for network in options.networks
        for images_of in options.sets
        for way in options.ways
        if network != SEVERAL or (way not in PEERS and way.endswith(("openvino", "only")))
    ]
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="leafid-bench-") as made:
        folder = Path(made)
        sets = image_sets(options.shared, folder, options.counts)
        for number, (network, images_of, way) in enumerate(plan, start=1):
            bundle = folder / network
            if not bundle.exists():
                several = network == SEVERAL
                make_bundle(bundle, NETWORKS[0] if several else network, sets[SETS[0]][:8], several_views=several)
            print(f"{number}/{len(plan)}, {(time.perf_counter() - started) / 60:3.0f} min: ", end="", file=sys.stderr)
            python = peers if way in PEERS else Path(sys.executable)
            result = measure(way, network, images_of, sets[images_of], bundle, python, folder)
            results += [result] if result else []
            write(options.out, results)
    print((options.out / "bench.md").read_text())


def write(folder: Path, results: Sequence[Result]) -> None:
    """Write table and numbers, after each measurement, so that little is lost."""
    machine = f"{usable_cores()} cores; {datetime.now(UTC):%Y-%m-%d}"
    rows: list[dict[str, Any]] = [asdict(result) for result in results]
    (folder / "bench.json").write_text(json.dumps({"machine": machine, "results": rows}, indent=1) + "\n")
    (folder / "bench.md").write_text(table(results, machine))


if __name__ == "__main__":
    main()
