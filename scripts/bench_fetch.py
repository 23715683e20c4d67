"""How fast and in how much memory images are fetched, next to ``curl --parallel`` against the same server.

    python scripts/bench_fetch.py --images 5000 --kilobytes 200

A server on this machine serves that many different JPEGs from a process of its own. leafid searches, fetches, decodes,
hashes, journals and names them; curl only writes them to disk. Both keep 16 connections open.
"""

import argparse
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

CONNECTIONS = 16


def serve(count: int, kilobytes: int, pixels: int) -> None:
    """Serve a GBIF search of ``count`` records and their images until standard input closes."""
    import asyncio

    import numpy as np
    from aiohttp import web

    # A blurred noise of this size is a JPEG of about the length asked for at the quality that fits best.
    noise = np.random.default_rng(0).integers(0, 255, (pixels * 3 // 8, pixels // 4, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((pixels, pixels * 3 // 2), Image.Resampling.BICUBIC)
    jpeg = min(
        (encoded(picture, quality) for quality in range(20, 100, 2)), key=lambda b: abs(len(b) - kilobytes * 1000)
    )

    async def image(request: web.Request) -> web.Response:
        number = f"{int(request.match_info['number']):08d}".encode()
        comment = b"\xff\xfe" + (len(number) + 2).to_bytes(2, "big") + number  # makes each file different
        return web.Response(body=jpeg[:2] + comment + jpeg[2:], content_type="image/jpeg")

    async def match(request: web.Request) -> web.Response:
        usage = {"key": "7461054", "canonicalName": "Mitragyna speciosa", "rank": "SPECIES", "status": "ACCEPTED"}
        return web.json_response({"usage": usage, "diagnostics": {"matchType": "EXACT"}, "synonym": False})

    async def search(request: web.Request) -> web.Response:
        offset = int(request.query["offset"])
        results = [record(number, str(request.url.origin())) for number in range(offset, min(count, offset + 300))]
        end = offset + len(results) >= count
        return web.json_response({"endOfRecords": end, "count": count, "results": results})

    async def run() -> None:
        application = web.Application()
        application.router.add_get("/images/{number}.jpg", image)
        application.router.add_get("/v2/species/match", match)
        application.router.add_get("/v1/occurrence/search", search)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(json.dumps({"port": runner.addresses[0][1], "bytes": len(jpeg), "size": picture.size}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    asyncio.run(run())


def encoded(picture: Image.Image, quality: int) -> bytes:
    """Return the picture as JPEG."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def record(number: int, base: str) -> dict[str, object]:
    """Return one record of the search."""
    medium = {"type": "StillImage", "identifier": f"{base}/images/{number}.jpg", "license": "CC0 1.0"}
    return {
        "key": number,
        "acceptedTaxonKey": 7461054,
        "scientificName": "Mitragyna speciosa Korth.",
        "species": "Mitragyna speciosa",
        "basisOfRecord": "PRESERVED_SPECIMEN",
        "media": [medium],
    }


def collect(url: str, folder: Path) -> None:
    """Collect with leafid; print seconds by stage and peak memory."""
    from leafid.jobs import FetchingSettings, GbifSearchSource, Job, OutputSettings, TaxaSettings
    from leafid.progress import OnProgress
    from leafid.sources import collect as collect_sources

    stages: dict[str, float] = {}

    @contextmanager
    def bar(description: str, unit: str) -> Iterator[OnProgress]:
        started = time.perf_counter()
        yield lambda done, total: None
        stages[description] = time.perf_counter() - started

    job = Job(
        name="bench",
        taxa=TaxaSettings.model_validate({"target": "Mitragyna speciosa"}),
        sources=(GbifSearchSource(kind="gbif_search"),),
        fetching=FetchingSettings(
            contact="bench@example.org",
            gbif_url=url,
            allow_private_addresses=True,
            spacing=0,
            connections=CONNECTIONS,
            connections_per_host=CONNECTIONS,
        ),
        output=OutputSettings(data=folder),
    )
    rows = collect_sources(job, progress_bar=bar).rows
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    print(json.dumps({"rows": rows, "stages": stages, "peak_mb": used.ru_maxrss / 1024, "cpu": cpu}))


def curl(url: str, folder: Path, count: int) -> tuple[float, float, float]:
    """Fetch the same images with curl; return seconds, peak memory in MB, and seconds of CPU."""
    folder.mkdir()
    wishes = "".join(f'url = "{url}/images/{n}.jpg"\noutput = "{folder}/{n}.jpg"\n' for n in range(count))
    (folder / "wishes").write_text(wishes)
    command = [
        "curl",
        "--silent",
        "--fail",
        "--parallel",
        "--parallel-max",
        str(CONNECTIONS),
        "-K",
        str(folder / "wishes"),
    ]
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status or len(list(folder.glob("*.jpg"))) != count:
        raise SystemExit("curl did not fetch all images")
    return seconds, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--kilobytes", type=int, default=200, help="length of each image")
    parser.add_argument("--pixels", type=int, default=1000, help="width of each image; its height is 1.5 times that")
    parser.add_argument("--rounds", type=int, default=3, help="alternating rounds; the median counts")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--collect", nargs=2, help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.serve:
        serve(wish.images, wish.kilobytes, wish.pixels)
        return
    if wish.collect:
        collect(wish.collect[0], Path(wish.collect[1]))
        return
    size = ["--images", str(wish.images), "--kilobytes", str(wish.kilobytes), "--pixels", str(wish.pixels)]
    command = [sys.executable, __file__, "--serve", *size]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    about = json.loads(server.stdout.readline())
    url = f"http://127.0.0.1:{about['port']}"
    print(f"{wish.images} images of {about['bytes'] / 1000:.0f} kB, {about['size']} pixels", flush=True)
    ours, theirs = [], []
    try:
        for _ in range(wish.rounds):
            with tempfile.TemporaryDirectory() as folder:
                theirs.append(curl(url, Path(folder) / "curl", wish.images))
                shutil.rmtree(Path(folder) / "curl")
                done = subprocess.run(
                    [sys.executable, __file__, "--collect", url, f"{folder}/leafid"],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                ours.append(json.loads(done.stdout))
                seconds, peak, cpu = theirs[-1]
                print(f"curl {seconds:.1f} s ({cpu:.1f} s CPU, {peak:.0f} MB); leafid {ours[-1]}", flush=True)
    finally:
        server.communicate("")
    ours.sort(key=lambda one: one["stages"]["Fetching images"])
    middle, theirs_middle = ours[len(ours) // 2], sorted(theirs)[len(theirs) // 2]
    rate = wish.images / middle["stages"]["Fetching images"]
    print(
        f"| leafid {rate:.0f} images/s, {rate * about['bytes'] / 1e6:.0f} MB/s, peak {middle['peak_mb']:.0f} MB "
        f"| curl {wish.images / theirs_middle[0]:.0f} images/s, peak {theirs_middle[1]:.0f} MB |"
    )


if __name__ == "__main__":
    main()
