"""Run the steps of ``Containerfile`` in a plain Debian root, where no container engine is at hand.

Needs root, mmdebstrap, Debian's registry and the package registry, `make dist` before, and about 5 minutes. FROM is
``mmdebstrap --variant=minbase`` of the same release, RUN a shell in the root (chroot), COPY a copy; USER, WORKDIR and
ENV hold for the later steps. This checks the steps, the size, that its user can identify and serve with a bundle that
it may not write, and the HEALTHCHECK. It does not check what an engine adds: layers, its own reading of the file,
mounts, network. Prints each step and the size; exit code 1 if a step fails or the root exceeds 800 MB.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
MAX_MEGABYTES = 800


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield keyword and value of each instruction; lines that end in a backslash are joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        keyword, _, value = line.strip().partition(" ")
        yield keyword, value.strip()


class Root:
    """The root folder of a container that is built step by step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = "root"
        self.directory = "/"
        self.variables = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

    def take(self, keyword: str, value: str) -> None:
        """Carry out one instruction."""
        match keyword:
            case "FROM":
                release = value.rpartition(":")[2].removesuffix("-slim")
                subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", release, self.folder], check=True)
                self._trust_this_machine()
            case "RUN":
                subprocess.run(self.command(["/bin/sh", "-c", value]), check=True, env=self.variables)
            case "COPY":
                *sources, target = value.split()
                (self.folder / target.strip("/")).mkdir(parents=True, exist_ok=True)
                for source in sources:
                    for path in CHECKOUT.glob(source):
                        shutil.copy(path, self.folder / target.strip("/"))
            case "USER":
                self.user = value
            case "WORKDIR":
                self.directory = value
            case "ENV":
                self.variables |= dict(word.split("=", 1) for word in shlex.split(value))

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the command that runs words in the root, as its user, in its folder."""
        switched = [shutil.which("chroot") or "chroot", f"--userspec={self.user}:{self.user}", str(self.folder)]
        return [*switched, "/bin/sh", "-c", f'cd {self.directory} && exec "$@"', "sh", *words]

    def megabytes(self) -> float:
        """Return the size on disk, in units of 1,000,000 bytes; what this machine lent is not counted."""
        return sum(path.lstat().st_blocks * 512 for path in self.folder.rglob("*")) / 1e6

    def _trust_this_machine(self) -> None:
        """Lend the root the settings by which this machine reaches its registries; a container engine does likewise."""
        shutil.copy("/etc/resolv.conf", self.folder / "etc/resolv.conf")
        if certificates := os.environ.get("PIP_CERT"):  # of a registry mirror with a certificate of its own
            shutil.copy(certificates, self.folder / "etc/lent-certificates.crt")
            self.variables["PIP_CERT"] = "/etc/lent-certificates.crt"
        proxies = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL")
        self.variables |= {name: os.environ[name] for name in proxies if name in os.environ}


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the root, serve a bundle in it, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="a bundle that was exported to onnx")
    parser.add_argument("--photo", type=Path, required=True, help="a photo of a leaf")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="leafid-root-") as temporary:
        Path(temporary).chmod(0o755)  # its user must reach the root
        root = Root(Path(temporary) / "root")
        steps = dict[str, str]()
        for keyword, value in instructions((CHECKOUT / "Containerfile").read_text(encoding="utf-8")):
            started = time.monotonic()
            root.take(keyword, value)
            steps[keyword] = value
            print(f"ok  {keyword} {value[:60]} ({time.monotonic() - started:.0f} s)", flush=True)
        megabytes = root.megabytes()
        print(f"size: {megabytes:.0f} MB", flush=True)
        subprocess.run(["mount", "-t", "proc", "proc", root.folder / "proc"], check=True)  # as an engine does
        try:
            served = _serves(root, given.bundle, given.photo, steps)
        finally:
            subprocess.run(["umount", "--lazy", root.folder / "proc"], check=True)
    return 0 if served and megabytes <= MAX_MEGABYTES else 1


def _serves(root: Root, bundle: Path, photo: Path, steps: dict[str, str]) -> bool:
    """Identify a photo and run the service as its user, with a bundle that it may not write, and check its health."""
    shared_memory = root.folder / "dev" / "shm"  # an engine mounts it for all users
    shared_memory.mkdir(parents=True, exist_ok=True)
    shared_memory.chmod(0o1777)
    shutil.copytree(bundle, root.folder / "bundle")
    shutil.copy(photo, root.folder / "photo.jpg")
    for path in (root.folder / "bundle", *(root.folder / "bundle").rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (entry,) = json.loads(steps["ENTRYPOINT"])
    identified = subprocess.run(
        root.command([entry, "identify", "/bundle", "/photo.jpg"]), env=root.variables, capture_output=True, text=True
    )
    print(f"{'ok  ' if identified.returncode == 0 else 'FAIL'} leafid identify as user {root.user}", flush=True)
    print(identified.stdout[-600:] + identified.stderr[-600:])
    service = subprocess.Popen(root.command([entry, *json.loads(steps["CMD"])]), env=root.variables, cwd="/")
    health = json.loads(steps["HEALTHCHECK"].partition("CMD ")[2])
    try:
        for _ in range(60):
            time.sleep(1)
            healthy = subprocess.run(root.command(health), env=root.variables, capture_output=True).returncode == 0
            if healthy or service.poll() is not None:
                break
    finally:
        service.send_signal(signal.SIGINT)
        service.wait(120)
    print(f"{'ok  ' if healthy else 'FAIL'} the service is healthy")
    return healthy and identified.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
