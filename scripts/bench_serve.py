"""Measure the service under load: 50 clients for two minutes, then its throughput beside that of `leafid identify`.

Prints requests, answers by status, latencies, memory, and photos a second of both. Takes three minutes on 2 cores:

    python scripts/bench_serve.py BUNDLE PHOTOS... [--clients 50] [--seconds 120]
"""

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
import numpy as np
import psutil  # type: ignore[import-untyped] # as in the other benchmarks

LEAFID = Path(sys.executable).with_name("leafid")
TOO_MANY = 429


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    command = [str(LEAFID), "serve", str(options.bundle), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, "the service did not start"
        try:
            asyncio.run(_load(found[0], process.pid, options.photos, options.clients, options.seconds))
            served = asyncio.run(_throughput(found[0], options.photos))
        finally:
            process.terminate()
    print(f"served: {served:.1f} photos/s, 4 at a time")
    commanded = _command(options.bundle, options.photos)
    print(f"leafid identify: {commanded:.1f} photos/s; the service reaches {served / commanded:.0%}")


async def _load(address: str, pid: int, photos: list[Path], clients: int, seconds: float) -> None:
    content = [(photo.name, photo.read_bytes()) for photo in photos]
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    memory: list[float] = []
    ends = time.monotonic() + seconds

    async def client(number: int) -> None:
        async with httpx.AsyncClient(base_url=address, timeout=120, trust_env=False) as http:
            while time.monotonic() < ends:
                started = time.monotonic()
                answer = await http.post("/v1/identify", files={"images": content[number % len(content)]})
                statuses[answer.status_code] += 1
                if answer.status_code == TOO_MANY:
                    await asyncio.sleep(float(answer.headers["Retry-After"]))
                    continue
                latencies.append(time.monotonic() - started)
                number += clients

    async def watch() -> None:
        while time.monotonic() < ends:
            memory.append(_megabytes(pid))
            await asyncio.sleep(1)

    await asyncio.gather(watch(), *(client(number) for number in range(clients)))
    p50, p95 = np.percentile(latencies, [50, 95])
    print(f"{clients} clients, {seconds:g} s: {sum(statuses.values())} requests, answers {dict(statuses)}")
    print(f"latency: median {p50:.2f} s, 95 % within {p95:.2f} s; {len(latencies) / seconds:.1f} photos/s")
    third = len(memory) // 3
    print(
        f"memory with workers: {np.median(memory[:third]):.0f} MB at first, {np.median(memory[-third:]):.0f} MB at last"
    )


async def _throughput(address: str, photos: list[Path]) -> float:
    waiting = list(photos)

    async def client() -> None:
        async with httpx.AsyncClient(base_url=address, timeout=120, trust_env=False) as http:
            while waiting:
                photo = waiting.pop()
                answer = await http.post("/v1/identify", files={"images": (photo.name, photo.read_bytes())})
                answer.raise_for_status()

    started = time.monotonic()
    await asyncio.gather(*(client() for _ in range(4)))
    return len(photos) / (time.monotonic() - started)


def _command(bundle: Path, photos: list[Path]) -> float:
    """Return the photos a second of the command, without its start."""

    def seconds(some: list[Path]) -> float:
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            words = [str(LEAFID), "identify", str(bundle), *map(str, some), "-o", f"{folder}/results.csv"]
            subprocess.run(words, check=True, capture_output=True)
            return time.monotonic() - started

    return (len(photos) - 1) / (seconds(photos) - seconds(photos[:1]))


def _megabytes(pid: int) -> float:
    process = psutil.Process(pid)
    total: int = sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))
    return total / 1e6


if __name__ == "__main__":
    main()
