"""``leafid collect`` with public sources, as a process, against local services."""

import subprocess
import sys
from pathlib import Path

import yaml

from tests.sources.public_services import KEYS, Services, job_of, record
from tests.sources.web_server import Reply, WebServer


def leafid(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from leafid.cli import main; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_a_dry_run_and_then_the_images(tmp_path: Path) -> None:
    services = Services()
    services.fault = lambda asked: Reply(b"", 404) if asked.path == "/images/3.jpg" else None
    with WebServer(services) as server:
        services.records = {KEYS["Mitragyna speciosa"]: [record(number, server.url) for number in range(1, 7)]}
        content = job_of(server.url, tmp_path / "data").model_dump(mode="json")
        job = tmp_path / "job.yaml"
        job.write_text(yaml.safe_dump(content))
        planned = leafid("collect", job, "--dry-run")
        images = [one for one in server.asked if one.path.startswith("/images/") and one.method == "GET"]
        fetched = leafid("collect", job)
    assert planned.returncode == 0, planned.stderr
    assert images == []
    assert "6  Mitragyna speciosa" in planned.stdout
    assert "6  CC-BY-4.0" in planned.stdout
    assert "Nothing was fetched" in planned.stdout
    assert fetched.returncode == 3, fetched.stderr
    assert "5  images" in fetched.stdout
    assert "1 could not be fetched or read (1 http_404)" in fetched.stdout
    assert {path.name for path in (tmp_path / "data").iterdir() if path.suffix in (".csv", ".md", ".yaml")} >= {
        "ATTRIBUTION.csv",
        "ATTRIBUTION.md",
        "CITATION.md",
        "DATA_CARD.md",
        "catalog.csv",
        "failures.csv",
        "media.csv",
        "taxa.lock.yaml",
    }


def test_unresolved_names_stop_with_exit_code_2(tmp_path: Path) -> None:
    with WebServer(Services()) as server:
        content = job_of(server.url, tmp_path / "data", taxa={"target": "Mitragyna unheard"}).model_dump(mode="json")
        job = tmp_path / "job.yaml"
        job.write_text(yaml.safe_dump(content))
        stopped = leafid("collect", job, "--limit-per-taxon", "2")
    assert stopped.returncode == 2
    assert "Mitragyna unheard: no match" in stopped.stderr
    assert "Traceback" not in stopped.stderr
