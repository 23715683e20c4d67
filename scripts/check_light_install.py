"""Install leafid to identify only, in a fresh environment, and run every command there.

Needs the package registry, a wheel (`make dist`), and about 2 minutes; `make light` runs it. The environment is made by
`requirements-identify.lock` alone. The bundle is a small one that this environment trains and exports, or ``--bundle``.
Prints what each command did, the size of the environment, and time and CPU of the first record. Exit code 1 if a
command did something else than expected, if a mistake ended in a traceback, or if the environment exceeds 500 MB.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

LOCK = Path(__file__).parents[1] / "requirements-identify.lock"
MAX_MEGABYTES = 500
TRAIN = "pip install 'leafid[train]'"

WORKS = (
    "--help",
    "columns",
    "bundle info BUNDLE",
    "bundle pack BUNDLE -o packed.zip",
    "bundle unpack packed.zip -o unpacked",
    "identify packed.zip PHOTO",
    "identify BUNDLE PHOTOS -o r.csv --spreadsheet r.xlsx --darwin-core d.csv --report page.html --characters --ask",
    "identify BUNDLE PHOTOS -o a.jsonl --darwin-core archive.zip --report page --sample-reports samples",
    "identify BUNDLE PHOTOS -o plants.csv --plant-by folder --photos-too",
    "measure PHOTO -o leaves.csv",
    "preview PHOTO -o seen.png",
    "preview PHOTO -o characters.png --characters",
    "synthesize drawn --sheets 1",
    "synthesize photographs --photographs --sheets 1 --long-side 400",
    "job new job.yaml",
    "job check job.yaml",
    "job schema",
)
"""Commands that need nothing else."""

REFUSED = {
    "demo": TRAIN,
    "collect job.yaml": TRAIN,
    "audit job.yaml": TRAIN,
    "prepare job.yaml": TRAIN,
    "train job.yaml": TRAIN,
    "sweep job.yaml": TRAIN,
    "evaluate BUNDLE": TRAIN,
    "crossvalidate job.yaml": TRAIN,
    "export BUNDLE --to onnx": TRAIN,
    "explain BUNDLE PHOTO -o map.png": TRAIN,
    "preview PHOTO -o augmented.png --augment": TRAIN,
    "identify BUNDLE PHOTO --engine torch": TRAIN,
    "identify BUNDLE PHOTO --device cuda": TRAIN,
    "identify BUNDLE PHOTO --report maps.html --heat-maps all": TRAIN,
    "identify BUNDLE PHOTO --engine openvino": "pip install 'leafid[openvino]'",
    "identify BUNDLE PHOTO -o r.parquet": "pip install pyarrow",
    "identify BUNDLE PHOTO --engine-cluster ray": "pip install 'leafid[ray]'",
}
"""Commands that need more, and what they must tell to install."""

SERVICES = {
    "serve BUNDLE --port 0 --workers 1": "/health",
    "review r.csv --port 0": "/",
}
"""Commands that run until Ctrl-C, and an address of each that must answer."""


@dataclass
class Environment:
    """A fresh environment, a working folder, and what went wrong."""

    python: Path
    folder: Path
    names: dict[str, str]
    wrong: list[str] = field(default_factory=list)

    def command(self, words: str) -> list[str]:
        """Return a leafid command with the names of bundle and photos filled in."""
        return [str(self.python.with_name("leafid")), *(self.names.get(word, word) for word in words.split())]

    def run(self, words: str) -> tuple[int, str, float]:
        """Run a command; return its exit code, what it printed, and its seconds."""
        started = time.monotonic()
        done = subprocess.run(self.command(words), cwd=self.folder, env=_clean(), capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr, time.monotonic() - started

    def check(self, words: str, passed: bool, shown: str) -> None:
        """Print one line, and remember a failure."""
        print(f"{'ok  ' if passed else 'FAIL'}  leafid {words}: {shown}", flush=True)
        if not passed:
            self.wrong.append(words)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, help="the wheel of leafid")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the fresh environment, or a version")
    parser.add_argument("--bundle", type=Path, help="a bundle that was exported to onnx")
    parser.add_argument("--photo", type=Path, help="a photo of a leaf")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="leafid-light-") as temporary:
        folder = Path(temporary)
        environment = _install(folder, given.wheel, given.python)
        megabytes = _megabytes(folder / "environment")
        environment.check("(environment)", megabytes <= MAX_MEGABYTES, f"{megabytes:.0f} MB")
        bundle, photo = given.bundle, given.photo
        if bundle is None or photo is None:
            bundle, photo = _small_bundle(folder)
        environment.names |= {"BUNDLE": str(bundle.absolute()), "PHOTO": str(photo.absolute())}
        environment.names["PHOTOS"] = environment.names["PHOTO"]
        _first_record(environment)
        for words in WORKS:
            code, shown, seconds = environment.run(words)
            environment.check(words, code == 0, f"{seconds:.1f} s" if code == 0 else shown[-400:])
        for words, advice in REFUSED.items():
            code, shown, _ = environment.run(words)
            said = code == 2 and advice in shown and "Traceback" not in shown
            environment.check(words, said, f"refused: {advice}" if said else f"exit {code}: {shown[-400:]}")
        for words, address in SERVICES.items():
            _check_service(environment, words, address)
    print(f"{len(environment.wrong)} wrong")
    return 1 if environment.wrong else 0


def _install(folder: Path, wheel: Path, python: str) -> Environment:
    """Make the environment as a user does: the lock with its hashes, then the wheel alone."""
    started = time.monotonic()
    uv = [sys.executable, "-m", "uv"]
    where = folder / "environment"
    subprocess.run([*uv, "venv", "--quiet", "--python", python, str(where)], check=True)
    interpreter = where / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    install = [*uv, "pip", "install", "--quiet", "--no-deps", "--python", str(interpreter)]
    subprocess.run([*install, "--require-hashes", "--only-binary", ":all:", "-r", str(LOCK)], check=True)
    subprocess.run([*install, str(wheel)], check=True)
    print(f"installed in {time.monotonic() - started:.0f} s", flush=True)
    work = folder / "work"
    work.mkdir()
    return Environment(interpreter, work, {})


def _megabytes(folder: Path) -> float:
    """Return the size of a folder on disk, in units of 1,048,576 bytes as `du -m`."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*")) / 2**20


def _small_bundle(folder: Path) -> tuple[Path, Path]:
    """Write a small bundle with an ONNX engine, and a photo, with the environment that runs this script."""
    program = (
        "import sys; from pathlib import Path; folder = Path(sys.argv[1])\n"
        "from leafid.identify import export_engine\n"
        "from tests.identify.small_bundle import TARGET, leaf, make_bundle\n"
        "leaf(TARGET).save(folder / 'leaf.png')\n"
        "export_engine(make_bundle(folder / 'bundle').folder, 'onnx', [folder / 'leaf.png'])\n"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True, cwd=LOCK.parent)
    return folder / "bundle", folder / "leaf.png"


def _first_record(environment: Environment) -> None:
    """Time the first record on this machine, which checks the engine, and the next one."""
    for which in ("first", "second"):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        code, shown, seconds = environment.run("identify BUNDLE PHOTO")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        environment.check(
            f"identify ({which} record)", code == 0, f"{seconds:.1f} s, {cpu:.1f} s of CPU" if code == 0 else shown
        )


def _check_service(environment: Environment, words: str, address: str) -> None:
    """Start a service, ask it once, and stop it."""
    log = environment.folder / "service.log"
    with log.open("w") as opened:
        service = subprocess.Popen(
            environment.command(words), cwd=environment.folder, env=_clean(), stdout=opened, stderr=opened
        )
    try:
        for _ in range(1500):
            urls = [word for word in log.read_text().split() if word.startswith("http://127.0.0.1:")]
            if urls or service.poll() is not None:
                break
            time.sleep(0.2)
        if not urls:
            environment.check(words, False, log.read_text()[-400:])
            return
        with urllib.request.urlopen(urls[0].rstrip("/.,") + address, timeout=60) as reply:
            environment.check(words, reply.status == 200, f"{address} answers {reply.status}")
    finally:
        service.send_signal(2)
        service.wait(120)


def _clean() -> dict[str, str]:
    """Return the environment variables without those that would let the checkout be imported."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


if __name__ == "__main__":
    sys.exit(main())
