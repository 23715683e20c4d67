"""Measure speed and memory of fetching images, compared with ``curl --parallel`` against the same server.

    python scripts/bench_fetch.py --images 5000 --kilobytes 200

A local server in a separate process serves different JPEGs. leafid searches, fetches, decodes, hashes, journals and
names them; curl only writes them to disk. Both keep 16 connections open.
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

    # Blurred noise: choose the JPEG quality whose file size is nearest to the requested one.
    noise = np.random.default_rng(0).integers(0, 255, (pixels * 3 // 8, pixels // 4, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((pixels, pixels * 3 // 2), Image.Resampling.BICUBIC)
    jpeg = min(
        (encoded(picture, quality) for quality in range(20, 100, 2)), key=lambda b: abs(len(b) - kilobytes * 1000)
    )

    async def image(request: web.Request) -> web.Response:
        number = f"{int(request.match_info['number']):08d}".encode()
        comment = b"\xff\xfe" + (len(number) + 2).to_bytes(2, "big") + number  # makes each file unique
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
    """Collect with leafid and print seconds per stage and peak memory as JSON."""
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
    """Fetch the same images with curl; return seconds, peak memory in MB, and CPU seconds."""
    folder.mkdir()
    config = "".join(f'url = "{url}/images/{n}.jpg"\noutput = "{folder}/{n}.jpg"\n' for n in range(count))
    (folder / "curl.conf").write_text(config)
    command = [
        "curl",
        "--silent",
        "--fail",
        "--parallel",
        "--parallel-max",
        str(CONNECTIONS),
        "-K",
        str(folder / "curl.conf"),
    ]
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status or len(list(folder.glob("*.jpg"))) != count:
        raise SystemExit("curl did not fetch all images: check that curl is installed and the disk has room.")
    return seconds, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime


def main() -> None:
    """Compare leafid with curl and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--kilobytes", type=int, default=200, help="size of each image")
    parser.add_argument("--pixels", type=int, default=1000, help="width of each image; its height is 1.5 times that")
    parser.add_argument("--rounds", type=int, default=3, help="alternating rounds; the median is reported")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--collect", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.images, options.kilobytes, options.pixels)
        return
    if options.collect:
        collect(options.collect[0], Path(options.collect[1]))
        return
    size = ["--images", str(options.images), "--kilobytes", str(options.kilobytes), "--pixels", str(options.pixels)]
    command = [sys.executable, __file__, "--serve", *size]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    served = json.loads(server.stdout.readline())
    url = f"http://127.0.0.1:{served['port']}"
    print(f"{options.images} images of {served['bytes'] / 1000:.0f} kB, {served['size']} pixels", flush=True)
    leafid_runs, curl_runs = [], []
    try:
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as folder:
                curl_runs.append(curl(url, Path(folder) / "curl", options.images))
                shutil.rmtree(Path(folder) / "curl")
                done = subprocess.run(
                    [sys.executable, __file__, "--collect", url, f"{folder}/leafid"],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                leafid_runs.append(json.loads(done.stdout))
                seconds, peak, cpu = curl_runs[-1]
                print(f"curl {seconds:.1f} s ({cpu:.1f} s CPU, {peak:.0f} MB); leafid {leafid_runs[-1]}", flush=True)
    finally:
        server.communicate("")
    leafid_runs.sort(key=lambda run: run["stages"]["Fetching images"])
    median, curl_median = leafid_runs[len(leafid_runs) // 2], sorted(curl_runs)[len(curl_runs) // 2]
    rate = options.images / median["stages"]["Fetching images"]
    print(
        f"| leafid {rate:.0f} images/s, {rate * served['bytes'] / 1e6:.0f} MB/s, peak {median['peak_mb']:.0f} MB "
        f"| curl {options.images / curl_median[0]:.0f} images/s, peak {curl_median[1]:.0f} MB |"
    )


if __name__ == "__main__":
    main()
