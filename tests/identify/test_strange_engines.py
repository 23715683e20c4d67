"""Engines of strangers: checked before a runtime opens them, and once on an image in a process that can be ended."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from leafid.bundle import read_bundle
from leafid.errors import BundleError
from leafid.files import sha256_of
from leafid.identify import export_engine
from leafid.identify.engines import engine_check
from leafid.identify.engines.compiled_engine import engine_folder
from leafid.identify.engines.engine_check import load_compiled, trusted_speedup
from leafid.identify.engines.model_files import check_model_file
from tests.identify.small_bundle import TARGET, leaf

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.skipif(not find_spec("onnxruntime"), reason="leafid[onnx] is not installed")


def _model(*nodes: object, tensors: tuple[object, ...] = (), domains: tuple[str, ...] = ("",)) -> bytes:
    floats = onnx.TensorProto.FLOAT
    ends = [onnx.helper.make_tensor_value_info(name, floats, [1]) for name in ("pixels", "features")]
    graph = onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:], list(tensors))
    opsets = [onnx.helper.make_opsetid(domain, 18) for domain in domains]
    return bytes(onnx.helper.make_model(graph, opset_imports=opsets).SerializeToString())


def _loop() -> object:
    floats = onnx.TensorProto.FLOAT
    value = onnx.helper.make_tensor_value_info("x", floats, [1])
    body = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "body", [value], [value])
    return onnx.helper.make_node("Loop", ["n", "c", "pixels"], ["features"], body=body)


def _external() -> object:
    tensor = onnx.numpy_helper.from_array(np.zeros(4, np.float32), "w")
    onnx.external_data_helper.set_external_data(tensor, "../../secret.bin")
    return tensor


RELU = onnx.helper.make_node("Relu", ["pixels"], ["features"])
CONSTANT = onnx.helper.make_node("Constant", [], ["features"], value=_external())
OWN = onnx.helper.make_node("Relu", ["pixels"], ["features"], domain="org.stranger")
LAYER = '<net><layers><layer id="0" type="{}" version="{}"/></layers></net>'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.onnx", _model(_loop()), "a loop or a branch"),
        ("a.onnx", _model(OWN), "not of the standard set, but of 'org.stranger'"),
        ("a.onnx", _model(RELU, domains=("", "com.microsoft")), "not of the standard set, but of 'com.microsoft'"),
        ("a.onnx", _model(RELU, tensors=(_external(),)), "weights in other files"),
        ("a.onnx", _model(CONSTANT), "weights in other files"),
        ("a.onnx", _model(RELU)[:-9], "not used"),
        ("a.onnx", b"\xff" * 100, "it is damaged"),
        ("a.onnx", b"", "not used"),
        ("a.xml", LAYER.format("Loop", "opset5").encode(), "it has a Loop"),
        ("a.xml", LAYER.format("Relu", "extension").encode(), "not of the standard set, but of 'extension'"),
        ("a.xml", b'<!DOCTYPE x [<!ENTITY a "b">]><net/>', "not used"),
        ("a.xml", b"<net>", "not used"),
        ("a.so", b"", "a file of another kind"),
    ],
)
def test_a_model_with_more_than_a_network_needs_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BundleError, match=message):
        check_model_file(tmp_path / name)


def test_a_plain_model_passes(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(_model(RELU))
    (tmp_path / "a.xml").write_text(LAYER.format("Relu", "opset1"))
    for name in ("a.onnx", "a.xml"):
        check_model_file(tmp_path / name)


@pytest.fixture
def exported(bundle_folder: Path, tmp_path: Path) -> Path:
    """Return a bundle with an engine that this machine has exported."""
    bundle = Path(shutil.copytree(bundle_folder, tmp_path / "bundle"))
    leaf(TARGET).save(tmp_path / "leaf.png")
    export_engine(bundle, "onnx", [tmp_path / "leaf.png"])
    return bundle


def _change_parity(bundle: Path, **changes: object) -> None:
    file = bundle / "engines" / "onnx" / "parity.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_foreign_engine_is_measured_here_once_whatever_its_parity_file_says(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _change_parity(exported, speedup=5000.0)
    bundle = read_bundle(exported)
    assert trusted_speedup(bundle, "onnx") == 5000, "exported here: believed"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other user"))
    monkeypatch.setattr(engine_check, "CHECK_SECONDS", 0.01)
    with pytest.raises(BundleError, match=r"did not answer on one image within 0\.01 seconds"):
        load_compiled(bundle, "onnx")
    monkeypatch.setattr(engine_check, "CHECK_SECONDS", 250)
    measured = trusted_speedup(bundle, "onnx")
    assert 0 < measured < 500
    monkeypatch.setattr(engine_check, "CHECK_SECONDS", 0.01)
    assert trusted_speedup(bundle, "onnx") == measured, "not measured again"


def test_a_foreign_engine_without_a_cache_is_checked_at_every_start_and_says_so(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(engine_check, "CHECK_SECONDS", 0.01)
    caplog.set_level("INFO")
    with pytest.raises(BundleError, match="did not answer"):
        load_compiled(read_bundle(exported), "onnx")
    assert "it is checked at every start, since no folder for caches can be written (XDG_CACHE_HOME)" in caplog.text
    monkeypatch.setattr(engine_check, "CHECK_SECONDS", 250)
    measured = trusted_speedup(read_bundle(exported), "onnx")
    monkeypatch.setattr(engine_check, "CHECK_SECONDS", 0.01)
    assert trusted_speedup(read_bundle(exported), "onnx") == measured, "not twice by one process"


def test_a_foreign_engine_with_other_answers_is_refused(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = next(engine_folder(read_bundle(exported), "onnx").glob("*.onnx"))
    changed = onnx.load(model)
    for tensor in changed.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim == 4:
            tensor.CopyFrom(onnx.numpy_helper.from_array(values * np.float32(1.5), tensor.name))
    onnx.save(changed, model)
    _change_parity(exported, files={model.name: sha256_of(model)})
    with pytest.raises(BundleError, match="differs from that of torch"):
        load_compiled(read_bundle(exported), "onnx")
