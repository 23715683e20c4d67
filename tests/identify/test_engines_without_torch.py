"""A compiled engine identifies photos without importing torch, also where torch is not installed."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from leafid.identify import COMPILED, CompiledName
from leafid.identify.engines.compiled_formats import is_installed
from leafid.identify.engines.gpu_detection import may_have_gpu
from tests.identify.small_bundle import TARGET, leaf, make_bundle

HEAVY = {
    *("torch", "torchvision", "torchmetrics", "lightning", "timm", "sklearn", "albumentations", "captum", "matplotlib"),
    *("pandas", "pyarrow", "scipy", "skimage", "aiohttp", "yarl", "openvino.tools.ovc"),
}
"""Packages that identification with a compiled engine must not import; each takes long, and the last reports its use
over the network."""

RUN = """
import sys
sys.modules.update(dict.fromkeys({missing!r}))  # as if they were not installed
from leafid.cli import main
try:
    main()
finally:
    print("imported:", *sorted({heavy!r} & {{name for name, module in sys.modules.items() if module}}), file=sys.stderr)
"""
"""Runs the program as its command does, and prints which heavy packages it has imported."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                not (is_installed(name) and find_spec("onnx")), reason=f"leafid[{name}] is not installed"
            ),
        )
        for name in COMPILED
    ],
)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a bundle that has a compiled engine, faster than torch, and a photo of the target."""
    name: CompiledName = request.param
    folder = tmp_path_factory.mktemp(name)
    leaf(TARGET).save(folder / "leaf.png")
    bundle = make_bundle(folder / "bundle").folder
    # In a process of its own: OpenVINO crashes when it exports in one that has loaded and quantised many engines.
    program = (
        "import sys; from pathlib import Path; from leafid.identify import export_engine; "
        "export_engine(Path(sys.argv[1]), sys.argv[2], [Path(sys.argv[3])])"
    )
    command = [sys.executable, "-c", program, str(bundle), name, str(folder / "leaf.png")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    _set_speedup(bundle, 2.0)
    return folder


def test_torch_and_other_heavy_packages_are_not_imported(exported: Path) -> None:
    if may_have_gpu():
        pytest.skip("a GPU is preferred to a compiled engine, and torch is asked for it")
    done = _identify(exported)
    assert done.returncode == 0 and TARGET in done.stdout
    # Two processes on Linux: the one that works, and the one that watches it for crashes.
    assert {line for line in done.stderr.splitlines() if line.startswith("imported:")} == {"imported:"}


def test_photos_are_identified_where_torch_is_not_installed(exported: Path, tmp_path: Path) -> None:
    done = _identify(
        exported, "-o", str(tmp_path / "out.jsonl"), missing=("torch", "torchvision", "sklearn", "lightning")
    )
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out.jsonl").read_text())
    assert record["scientific_name"] == TARGET and record["engine"] == exported.name.rstrip("0123456789")


def test_an_engine_slower_than_torch_is_used_only_where_torch_is_not_installed(exported: Path, tmp_path: Path) -> None:
    engine = exported.name.rstrip("0123456789")
    _set_speedup(exported / "bundle", 0.5)
    try:
        for missing, expected in ((("torch",), engine), ((), "torch")):
            output = tmp_path / f"{expected}.jsonl"
            done = _identify(exported, "-o", str(output), "--device", "cpu", missing=missing)
            assert done.returncode == 0, done.stderr
            assert json.loads(output.read_text())["engine"] == expected
    finally:
        _set_speedup(exported / "bundle", 2.0)


def test_what_needs_torch_says_so_where_it_is_not_installed(exported: Path) -> None:
    done = _identify(exported, "--engine", "torch", missing=("torch", "torchvision"))
    assert done.returncode == 2 and "pip install 'leafid[train]'" in done.stderr
    done = _identify(exported, "--report", "page.html", "--heat-maps", "all", missing=("torch", "torchvision"))
    assert (
        done.returncode == 2 and "pip install 'leafid[train]'" in done.stderr and not (exported / "page.html").exists()
    )


def test_a_bundle_without_engine_says_how_to_get_one_where_torch_is_not_installed(tmp_path: Path) -> None:
    leaf(TARGET).save(tmp_path / "leaf.png")
    make_bundle(tmp_path / "bundle")
    done = _identify(tmp_path, missing=("torch", "torchvision"))
    assert done.returncode == 2
    assert "leafid export BUNDLE --to onnx" in done.stderr and "pip install 'leafid[train]'" in done.stderr
    (tmp_path / "bundle" / "engines" / "openvino").mkdir(parents=True)
    done = _identify(tmp_path, missing=("torch", "torchvision", "openvino"))
    assert done.returncode == 2 and "pip install 'leafid[openvino]'" in done.stderr


@pytest.mark.skipif(not is_installed("openvino"), reason="leafid[openvino] is not installed")
def test_a_cached_model_is_used_again_and_a_damaged_one_is_replaced(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "openvino" not in exported.name:
        pytest.skip("ONNX Runtime needs no cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for _ in range(2):
        assert TARGET in _identify(exported, "--engine", "openvino").stdout
        (blob,) = tmp_path.glob("leafid/engines/*/*.blob")
        blob.chmod(0o600)
        blob.write_bytes(blob.read_bytes()[:1000])
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert TARGET in _identify(exported, "--engine", "openvino").stdout


def _identify(folder: Path, *options: str, missing: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    code = RUN.format(missing=missing, heavy=HEAVY)
    command = [sys.executable, "-c", code, "identify", "bundle", "leaf.png", *options]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


def _set_speedup(bundle: Path, speedup: float) -> None:
    """Let the engine of a bundle have been so many times as fast as torch when it was exported."""
    (file,) = (bundle / "engines").glob("*/parity.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"speedup": speedup}))
