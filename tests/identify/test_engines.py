"""Compiled engines give the same output as torch, are refused otherwise, and never replace a named engine."""

import json
import logging
import shutil
import sys
from collections import Counter
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from leafid.bundle import read_bundle
from leafid.errors import BundleError, InstallationError, UsageError
from leafid.identify import COMPILED, CompiledName, Identifier, Parity, export_engine, suggest_export
from leafid.identify.engines.compiled_engine import CompiledEngine
from leafid.identify.engines.compiled_formats import INT8, is_installed, write_model
from leafid.identify.engines.engine import TorchEngine
from leafid.identify.engines.engine_check import load_compiled
from leafid.identify.engines.engine_choice import choose_engine
from leafid.learning import build_network
from leafid.learning.models.batch_norm_fusion import fuse_batch_norm
from leafid.openvino_runtime import import_openvino
from leafid.sheets import CropKind, PreparedImage
from tests.identify.small_bundle import COLOURS, NETWORK, leaf, make_bundle

ENGINES = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            not (is_installed(name) and find_spec("onnx")), reason=f"leafid[{name}] is not installed"
        ),
    )
    for name in COMPILED
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return nine leaves and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(9):
        leaf(list(COLOURS)[number % 3], number).save(folder / f"{number}.png")
    (folder / "broken.png").write_text("no leaf")
    return sorted(folder.iterdir())


@pytest.fixture
def bundle(bundle_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of the bundle into which engines can be written."""
    return Path(shutil.copytree(bundle_folder, tmp_path / "bundle"))


@pytest.mark.parametrize("name", ENGINES)
def test_an_exported_engine_gives_the_output_of_torch(bundle: Path, photos: list[Path], name: CompiledName) -> None:
    progress: list[tuple[int, int]] = []
    parity = export_engine(bundle, name, photos, on_progress=lambda done, total: progress.append((done, total)))
    assert parity.passed and parity.images == 9 and parity.agreement == 1 and parity.largest_difference < 1e-4
    assert progress == [(8, 10), (10, 10)]
    assert sorted(path.name for path in (bundle / "engines").iterdir()) == [name]
    assert "same first taxon for 100.0%" in str(parity)
    assert parity.speedup > 0 and "times as fast on" in str(parity)
    _set_times(bundle, name, 2.0)

    torch = Identifier.load(bundle, device="cpu", engine="torch")
    fast = Identifier.load(bundle, device="cpu", engine=name)
    assert (torch.engine.name, fast.engine.name) == ("torch", name)
    assert Identifier.load(bundle, device="cpu").engine.name == name
    for batch_size in (1, 4):
        for compiled, reference in zip(
            fast.identify(photos, batch_size=batch_size), torch.identify(photos), strict=True
        ):
            assert (compiled.path, compiled.status, compiled.scientific_name) == (
                reference.path,
                reference.status,
                reference.scientific_name,
            )
            probabilities = [[one.probability for one in either.candidates] for either in (compiled, reference)]
            assert probabilities[0] == pytest.approx(probabilities[1], abs=1e-4)


@pytest.mark.parametrize("name", ENGINES)
def test_covariance_pooling_at_several_sizes_gives_the_output_of_torch(
    tmp_path: Path, photos: list[Path], name: CompiledName
) -> None:
    spec = NETWORK.model_copy(update={"pooling": "covariance", "scales": (1.0, 0.75)})
    made = make_bundle(tmp_path / "bundle", network_spec=spec)
    parity = export_engine(made.folder, name, photos)
    assert parity.passed and parity.agreement == 1 and parity.embedding_difference < 1e-4


def _set_times(bundle: Path, name: CompiledName, times: float) -> None:
    """Let an engine have been so many times as fast as torch when it was exported."""
    file = bundle / "engines" / name / "parity.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"speedup": times}))


@pytest.mark.skipif(not all(map(is_installed, COMPILED)), reason="not all engines are installed")
@pytest.mark.skipif(not (is_installed("openvino") and find_spec("onnx")), reason="leafid[openvino] is not installed")
@pytest.mark.parametrize(("side", "views"), [(64, "?"), (448, "1")])
def test_openvino_calculates_bias_and_relu6_with_the_convolution(tmp_path: Path, side: int, views: str) -> None:
    spec = NETWORK.model_copy(update={"backbone": "mobilenet_v2", "pooling": "covariance", "scales": (1.0, 0.7)})
    network = build_network(spec, taxa=3)
    for parameter in network.backbone.parameters():  # as after training: no bias is zero
        torch.nn.init.normal_(parameter, std=0.1)
    network = fuse_batch_norm(network, torch.device("cpu"))  # as export does
    write_model(network, tmp_path, "openvino", side)
    openvino = import_openvino()
    compiled = openvino.Core().compile_model(tmp_path / f"{side}.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    steps = Counter(str(step.get_rt_info()["layerType"].value) for step in compiled.get_runtime_model().get_ops())
    assert steps["Convolution"] > 30 and steps["Eltwise"] + steps["Subgraph"] < 10
    assert str(compiled.input(0).get_partial_shape()[0]) == views


def test_auto_uses_the_engine_with_the_largest_speedup(bundle: Path, photos: list[Path]) -> None:
    for name in COMPILED:
        export_engine(bundle, name, photos)
    for openvino, onnx, expected in (
        (3.0, 2.0, "openvino"),
        (2.0, 3.0, "onnx"),
        (0.8, 0.9, "torch"),
    ):
        _set_times(bundle, "openvino", openvino)
        _set_times(bundle, "onnx", onnx)
        assert Identifier.load(bundle, device="cpu").engine.name == expected


QUANTISED = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            not (is_installed(name) and find_spec("onnx") and find_spec("nncf")),
            reason="leafid[int8] is not installed",
        ),
    )
    for name in INT8
]


@pytest.mark.parametrize("name", QUANTISED)
def test_int8_engines_are_used_only_when_named_and_nearly_agree(
    tmp_path: Path, photos: list[Path], name: CompiledName
) -> None:
    bundle = make_bundle(
        tmp_path / "bundle", network_spec=NETWORK.model_copy(update={"backbone": "resnet18"}), min_probability=0.5
    ).folder
    parity = export_engine(bundle, name, photos, calibration=photos)
    assert parity.passed and parity.agreement == 1
    assert 1e-7 < parity.embedding_difference < 0.5 and parity.mean_difference is not None
    assert Identifier.load(bundle, device="cpu").engine.name == "torch"
    quantised = Identifier.load(bundle, device="cpu", engine=name)
    expected = [record.scientific_name for record in Identifier.load(bundle, engine="torch").identify(photos)]
    assert [record.scientific_name for record in quantised.identify(photos)] == expected


@pytest.mark.parametrize("name", QUANTISED)
def test_int8_engines_need_calibration_images_and_are_refused_beyond_the_limits(
    bundle: Path, photos: list[Path], name: CompiledName
) -> None:
    with pytest.raises(UsageError, match=r"2 of 2 images for calibration can be read; at least 8 .*--calibrate"):
        export_engine(bundle, name, photos, calibration=photos[:2])
    # The random weights of mobilenet_v3 separate colours by differences below the resolution of 8 bits.
    with pytest.raises(BundleError, match=r"was not written, because an export needs .* the same first taxon for 95%"):
        export_engine(bundle, name, photos, calibration=photos)


@pytest.mark.parametrize("name", ENGINES)
def test_views_of_two_sizes_and_many_of_them(bundle: Path, photos: list[Path], name: CompiledName) -> None:
    description = json.loads((bundle / "bundle.json").read_text())
    description["preprocessing"] |= {"overview_size": 64}
    (bundle / "bundle.json").write_text(json.dumps(description))
    export_engine(bundle, name, photos)
    grain = np.random.default_rng(0)
    small = [grain.integers(0, 256, (32, 32, 3), np.uint8) for _ in range(70)]
    large = grain.integers(0, 256, (64, 64, 3), np.uint8)
    images = [
        PreparedImage((large, *small), (CropKind.IMAGE, *[CropKind.TILE] * 70), 64, 64),
        PreparedImage((small[0],), (CropKind.TILE,), 64, 64),
    ]
    compiled = load_compiled(read_bundle(bundle), name).predict(images)
    reference = TorchEngine(read_bundle(bundle), device="cpu").predict(images)
    assert compiled.embeddings.shape == reference.embeddings.shape
    np.testing.assert_allclose(
        compiled.embeddings, reference.embeddings, rtol=1e-3, atol=1e-4 * np.abs(reference.embeddings).max()
    )
    np.testing.assert_allclose(compiled.logits, reference.logits, atol=1e-3 * np.abs(reference.logits).max())


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_with_other_output_is_refused(
    bundle: Path, photos: list[Path], name: CompiledName, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = CompiledEngine._features
    monkeypatch.setattr(CompiledEngine, "_features", lambda self, views: original(self, [255 - view for view in views]))
    with pytest.raises(BundleError, match=r"was not written, because an export needs differences of at most 0.001"):
        export_engine(bundle, name, photos)
    assert not list((bundle / "engines").iterdir())
    with pytest.raises(BundleError, match=f"has no engine {name}.*--to {name}"):
        Identifier.load(bundle, engine=name)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights_sha256": "0"}, "made from other weights"),
        ({"largest_difference": 0.2}, "differs from torch"),
        ({"embedding_difference": 0.2}, "differs from torch"),
        ({"agreement": 0.5}, "differs from torch"),
        ({"files": {"32.xml": "0"}}, "32.xml is missing or changed"),
        ({"files": {}}, "no model for views of 32 pixels"),
        ({"engine": None}, "parity.json is missing or changed"),
    ],
)
def test_a_stale_or_damaged_engine_is_refused_if_named_else_skipped(
    bundle: Path, name: CompiledName, change: dict[str, object], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    parity: dict[str, object] = {
        "engine": name,
        "version": "1",
        "leafid_version": "1",
        "created": "2026-01-01T00:00:00Z",
        "weights_sha256": read_bundle(bundle).info.weights_sha256,
        "images": 3,
        "largest_difference": 0.0,
        "embedding_difference": 0.0,
        "agreement": 1.0,
        "mean_difference": 0.0,
        "speedup": 2.0,
        "measured_on": "here",
        "files": {},
    }
    (bundle / "engines" / name).mkdir(parents=True)
    (bundle / "engines" / name / "parity.json").write_text(json.dumps(parity | change))
    with pytest.raises(BundleError, match=message):
        Identifier.load(bundle, engine=name)
    with caplog.at_level(logging.WARNING, "leafid"):
        assert Identifier.load(bundle, device="cpu").engine.name == "torch"
    assert message in caplog.text


@pytest.mark.parametrize("name", COMPILED)
def test_without_the_packages_a_named_engine_is_refused(
    bundle: Path, name: CompiledName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino" if name == "openvino" else "onnxruntime", None)
    (bundle / "engines" / name).mkdir(parents=True)
    package = {"onnx": "'leafid'", "openvino": r"'leafid\[openvino\]'"}[name]
    with pytest.raises(InstallationError, match=f"pip install {package}"):
        Identifier.load(bundle, engine=name)
    with pytest.raises(InstallationError, match=name):
        export_engine(bundle, name, [])
    assert Identifier.load(bundle, device="cpu").engine.name == "torch"


@pytest.mark.parametrize("name", ENGINES)
def test_export_needs_another_package(bundle: Path, name: CompiledName, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InstallationError, match=f"The engine {name} needs onnx, not installed here"):
        export_engine(bundle, name, [])


def test_unknown_engines_are_refused(bundle: Path) -> None:
    with pytest.raises(UsageError, match="no engine 'abacus'"):
        Identifier.load(bundle, engine="abacus")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ENGINES)
def test_export_without_readable_images_is_refused(bundle: Path, photos: list[Path], name: CompiledName) -> None:
    with pytest.raises(UsageError, match="None of the 1 images can be read"):
        export_engine(bundle, name, [path for path in photos if path.name == "broken.png"])


def test_parity_has_limits() -> None:
    perfect = Parity(
        engine="onnx",
        version="",
        leafid_version="",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        weights_sha256="",
        images=100,
        largest_difference=0.001,
        embedding_difference=0.001,
        agreement=0.99,
        mean_difference=0.0002,
        speedup=2.0,
        measured_on="here",
        files={},
    )
    assert perfect.passed
    assert not perfect.model_copy(update={"largest_difference": 0.0011}).passed
    assert not perfect.model_copy(update={"embedding_difference": 0.0011}).passed
    assert not perfect.model_copy(update={"embedding_difference": float("nan")}).passed
    assert not perfect.model_copy(update={"agreement": 0.98}).passed
    rough = perfect.model_copy(
        update={"engine": "openvino-int8", "embedding_difference": 0.2, "mean_difference": 0.05, "agreement": 0.95}
    )
    assert rough.passed
    assert not rough.model_copy(update={"mean_difference": 0.051}).passed
    assert not rough.model_copy(update={"agreement": 0.94}).passed


def test_an_export_is_suggested_until_there_is_one(bundle: Path) -> None:
    copy = read_bundle(bundle)
    engine = choose_engine(copy, "torch", device="cpu")
    assert suggest_export(copy, engine) == (
        f"A compiled engine is faster on this machine: run `leafid export {copy.folder} --to onnx` once."
    )
    (copy.folder / "engines" / "onnx").mkdir(parents=True)
    assert suggest_export(copy, engine) is None
