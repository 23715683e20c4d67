"""The service answers what the command answers, refuses what is not its own, and survives hostile clients."""

import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from PIL import Image

from leafid.identify import Identifier, read_records
from leafid.identify.records import record_to_dict
from tests.characters.leaves import drawn_leaf, on_paper
from tests.cli.crashing_decoder import environment, mark
from tests.serve.running import LEAFID, Running, form, running

PROGRAM = """
import sys
from pathlib import Path
from leafid.serve import Limits, ServeSettings, serve_bundle
if __name__ == "__main__":
    limits = Limits(photo_bytes=200_000, receiving_seconds=2, header_seconds=2, waiting=1)
    serve_bundle(ServeSettings(bundle=Path(sys.argv[1]), port=0, workers=1, api_key="secret", limits=limits))
"""
"""A service with small limits and a key."""


@pytest.fixture(scope="module")
def strict(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    """Return a running service with small limits, whose decoder crashes on marked photos."""
    folder = tmp_path_factory.mktemp("strict")
    (folder / "program.py").write_text(PROGRAM)
    variables = {"PYTHONPATH": environment(folder / "hook")["PYTHONPATH"], "TMPDIR": str(folder)}
    program = [sys.executable, str(folder / "program.py"), str(bundle)]
    with running(bundle, program=program, **variables) as started:
        started.client.headers["Authorization"] = "Bearer secret"
        yield started, folder


def without_path(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in ("path", "identified_at")}


def test_the_answer_is_the_record_of_the_command(service: Running, bundle: Path, photos: list[Path]) -> None:
    expected = [record_to_dict(record) for record in Identifier.load(bundle, cores=1).identify(photos)]
    for photo, record in zip(photos, expected, strict=True):
        answer = service.identify(photo).json()
        assert without_path(answer["plant"]) == without_path(record)
        assert answer["photos"] == [answer["plant"]]
        assert answer["plant"]["path"] == photo.name


def test_several_photos_give_one_answer_for_the_plant(
    service: Running, bundle: Path, photos: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "2.png").write_text("no leaf")
    files = [photos[0], tmp_path / "2.png", photos[0]]
    answer = service.identify(*files).json()
    expected = Identifier.load(bundle, cores=1).identify_plant(files[:2])
    assert answer["plant"]["scientific_name"] == expected.scientific_name == "Coffea canephora"
    assert [photo["path"] for photo in answer["plant"]["photos"]] == [photo.name for photo in files]
    assert [record["path"] for record in answer["photos"]] == [photo.name for photo in files]
    assert "1 of 3 photos left out: 2.png (not_an_image)" in answer["plant"]["caution"]


def test_the_answer_is_put_into_words(service: Running, photos: list[Path]) -> None:
    words = service.identify(photos[0]).json()["words"]
    assert words["sentences"][0].startswith(("Probably Coffea canephora", "Almost certainly Coffea canephora"))
    assert words["advice"] is None


def test_a_file_that_is_no_photo_has_a_record_with_the_reason(service: Running, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no leaf")
    answer = service.identify(tmp_path / "notes.txt")
    assert answer.status_code == 200
    assert answer.json()["plant"]["reason"].startswith("not_an_image")
    assert answer.json()["words"]["advice"]


def test_a_leaf_is_measured_and_drawn(service: Running, tmp_path: Path) -> None:
    Image.fromarray(on_paper(drawn_leaf("Coffea canephora", 6, direction_deg=35))).save(tmp_path / "leaf.png")
    found = service.client.post("/v1/measure", files=form(tmp_path / "leaf.png")).json()["leaves"]
    assert len(found) == 1 and found[0]["characters"]["length_width_ratio"]["value"] > 1
    base, apex = found[0]["base"], found[0]["apex"]
    ends = {"base_x": base[0], "base_y": base[1], "apex_x": apex[0], "apex_y": apex[1]}
    again = service.client.post("/v1/measure", files=form(tmp_path / "leaf.png"), data=ends).json()["leaves"][0]
    ratio = again["characters"]["length_width_ratio"]["value"]
    assert ratio == pytest.approx(found[0]["characters"]["length_width_ratio"]["value"], rel=0.1)
    wrong = service.client.post("/v1/measure", files=form(tmp_path / "leaf.png"), data={"base_x": "NaN"})
    assert wrong.status_code == 400 and "base_y is missing" in wrong.json()["message"]


def test_records_are_exported_as_the_command_writes_them(service: Running, photos: list[Path], tmp_path: Path) -> None:
    records = [service.identify(photo).json()["plant"] for photo in photos]

    def export(file_format: str) -> Path:
        answer = service.client.post(f"/v1/export/{file_format}", json={"records": records})
        name = answer.headers["Content-Disposition"].split('"')[1]
        (tmp_path / name).write_bytes(answer.content)
        return tmp_path / name

    assert [record.to_dict() for record in read_records(export("jsonl"))] == records
    names = [record.scientific_name for record in read_records(export("csv"))]
    assert names == [record["scientific_name"] for record in records]
    with zipfile.ZipFile(export("darwin-core")) as archive:
        assert archive.read("identification.csv").count(b"Mitragyna speciosa") >= 1
    sheet = openpyxl.load_workbook(export("xlsx")).worksheets[0]
    assert sheet.max_row == 1 + len(photos)
    wrong = service.client.post("/v1/export/csv", json={"records": [{"path": 3}]})
    assert wrong.status_code == 400 and "none of leafid's" in wrong.json()["message"]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/v1/identify?top=0", 400, "top"),
        ("/v1/identify?taxa=Nothing+known", 400, "Nothing known"),
        ("/v2/identify/elsewhere", 404, "no project"),
        ("/v2/identify/all?nb-results=x", 400, "nb-results"),
        ("/nowhere", 404, "Not Found"),
    ],
)
def test_a_wrong_request_is_refused_with_a_reason(
    service: Running, photos: list[Path], path: str, status: int, message: str
) -> None:
    answer = service.client.post(path, files=form(photos[0]))
    assert (answer.status_code, answer.json()["statusCode"]) == (status, status)
    assert message in answer.json()["message"]


def test_a_request_needs_photos_in_a_form(service: Running, photos: list[Path]) -> None:
    assert service.client.post("/v1/identify", json={}).status_code == 415
    assert service.client.post("/v1/identify", files={"other": b"x"}).status_code == 400
    assert service.client.post("/v1/identify", data={"images": "x"}, files={"other": b"x"}).status_code == 400
    assert service.client.post("/v1/identify", files=form(*photos, *photos)).status_code == 413
    organs = {"organs": ["leaf", "leaf"]}
    answer = service.client.post("/v2/identify/all", files=form(photos[0]), data=organs)
    assert answer.status_code == 400 and "2 organs for 1 photos" in answer.json()["message"]


def test_answers_have_the_shape_of_plantnet(service: Running, photos: list[Path]) -> None:
    answer = service.client.post("/v2/identify/all", files=form(photos[2]), data={"organs": "leaf"}).json()
    assert answer["bestMatch"] == "Mitragyna speciosa"
    first = answer["results"][0]
    assert first["species"]["scientificNameWithoutAuthor"] == "Mitragyna speciosa"
    assert first["species"]["genus"]["scientificName"] == "Mitragyna"
    assert 0.8 < first["score"] <= 1
    assert answer["query"]["organs"] == ["leaf"] and len(answer["query"]["images"][0]) == 32
    (project,) = service.client.get("/v2/projects").json()
    assert project["speciesCount"] == 3 == len(service.client.get("/v2/taxa").json())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:80@127.0.0.1"}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:8080"}, 200),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_only_its_own_pages_and_names_reach_it(service: Running, headers: dict[str, str], status: int) -> None:
    assert service.client.get("/health", headers=headers).status_code == status


def test_every_answer_forbids_foreign_scripts(service: Running) -> None:
    for path in ("/", "/static/page.js", "/openapi.json", "/nowhere"):
        headers = service.client.get(path).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_a_key_is_asked_for(strict: tuple[Running, Path], photos: list[Path]) -> None:
    service, _ = strict
    for headers in ({"Authorization": "Bearer wrong"}, {"Authorization": ""}):
        assert service.client.post("/v1/identify", files=form(photos[0]), headers=headers).status_code == 401
    address = "/v2/identify/all?api-key=secret"
    assert service.client.post(address, files=form(photos[0]), headers={"Authorization": ""}).status_code == 200
    assert service.client.get("/health", headers={"Authorization": ""}).status_code == 200


def test_a_crashing_decoder_costs_one_request_and_leaves_no_file(
    strict: tuple[Running, Path], photos: list[Path], tmp_path: Path
) -> None:
    service, folder = strict
    bad = tmp_path / "bad.png"
    bad.write_bytes(photos[0].read_bytes())
    mark(bad)
    answer = service.identify(bad)
    assert answer.status_code == 400 and "crashed" in answer.json()["message"]
    assert service.identify(photos[0]).json()["plant"]["status"] == "identified"
    assert [path for path in folder.glob("leafid-serve-*/*")] == []


def test_too_large_and_too_slow_requests_are_cut(strict: tuple[Running, Path], tmp_path: Path) -> None:
    service, _ = strict
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    answer = service.identify(tmp_path / "noise.png")
    assert answer.status_code == 413 and "noise.png is larger than 0 MB" in answer.json()["message"]
    head = b"POST /v1/identify HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n"
    kind = b"Content-Type: multipart/form-data; boundary=x\r\n"
    assert b" 413 " in _raw(service, head + kind + b"Content-Length: 99999999999\r\n\r\n")
    assert b" 408 " in _raw(service, head + kind + b"Content-Length: 1000\r\n\r\n--x\r\n")
    assert _raw(service, b"GET / HT") == b""  # closed without an answer
    assert service.client.get("/health").json()["in_work"] == 0


def _raw(service: Running, request: bytes) -> bytes:
    """Send bytes and return what comes until the service closes the connection."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        while more := connection.recv(65_536):
            answer += more
        return answer


def test_an_endless_address_is_refused(service: Running) -> None:
    answer = service.client.get("/health", params={"x": "y" * 9000})
    assert answer.status_code == 414 and "longer than 8,000" in answer.json()["message"]


@pytest.mark.parametrize(
    "name", ["../../../../tmp/escaped.png", "/etc/passwd", "C:\\leaf.png", "a\x00b\n.png", "." * 300]
)
def test_names_of_photos_never_become_paths(service: Running, photos: list[Path], name: str) -> None:
    answer = service.client.post("/v1/identify", files={"images": (name, photos[0].read_bytes())}).json()
    assert answer["plant"]["status"] == "identified"
    assert not set("/\\\n\x00") & set(answer["plant"]["path"]) and not Path("/tmp/escaped.png").exists()


def test_a_decompression_bomb_has_a_record_with_the_reason(
    strict: tuple[Running, Path], tmp_path: Path, photos: list[Path]
) -> None:
    service, _ = strict
    Image.new("1", (15_000, 15_000)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 200_000
    assert service.identify(tmp_path / "bomb.png").json()["plant"]["reason"].startswith("too_large")
    assert service.identify(photos[0]).json()["plant"]["status"] == "identified"


def test_a_full_queue_asks_to_come_again(strict: tuple[Running, Path], photos: list[Path]) -> None:
    service, _ = strict
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: service.identify(photos[0]), range(24)))
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["Retry-After"]) >= 1


def test_what_prevents_the_start_is_said(bundle: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [str(LEAFID), "serve", str(bundle), "--port", port], capture_output=True, text=True, check=False
        )
    assert done.returncode == 2
    assert f"--port {port}" in done.stderr and "Choose another port" in done.stderr
    done = subprocess.run([str(LEAFID), "serve", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr
