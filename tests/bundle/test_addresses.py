"""A bundle on the web is used only if it has the hash in its address, and fetched once; the Hub's models likewise."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from leafid.bundle import addresses, bundle_folder, pack_bundle, read_bundle
from leafid.errors import BundleError, UsageError
from leafid.files import sha256_of
from tests.bundle.small_bundles import members_of, write_small_bundle, zip_of
from tests.bundle.web_bundles import COMMIT, https_server, hub, make_certificate

OTHER = "0" * 64


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate for localhost, made with openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, to make a certificate")
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def packed(tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a packed bundle; the cache is empty, and the local server is trusted."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("certificate.pem")))
    monkeypatch.setenv("NO_PROXY", "localhost")
    pack_bundle(write_small_bundle(tmp_path / "small"), tmp_path / "sent.zip")
    return tmp_path / "sent.zip"


def _cached(tmp_path: Path) -> list[str]:
    folder = tmp_path / "caches" / "leafid" / "bundles"
    return sorted(os.listdir(folder)) if folder.exists() else []


@pytest.mark.parametrize("named", [str, Path])
def test_a_bundle_is_fetched_once(
    packed: Path, certificate: Path, tmp_path: Path, named: Callable[[str], str | Path]
) -> None:
    with https_server({"/a/sent.zip": packed.read_bytes()}, certificate) as (address, requests):
        url = named(f"{address}/a/sent.zip#sha256={sha256_of(packed)}")
        assert read_bundle(url).info == read_bundle(tmp_path / "small").info
        assert read_bundle(url).folder == bundle_folder(packed)
    assert requests == ["/a/sent.zip"] and _cached(tmp_path) == [sha256_of(packed)]
    assert read_bundle(url).info.name == "small"  # the server is gone


def test_another_file_than_the_named_one_is_not_used(packed: Path, certificate: Path, tmp_path: Path) -> None:
    with https_server({"/sent.zip": packed.read_bytes()}, certificate) as (address, _):
        with pytest.raises(BundleError, match=f"has the SHA-256 {sha256_of(packed)}, not {OTHER}: it is another file"):
            read_bundle(f"{address}/sent.zip#sha256={OTHER}")
    assert _cached(tmp_path) == []


@pytest.mark.parametrize("fragment", ["", "#", "#sha256=", "#sha256=12ab", f"#md5={'0' * 32}", f"#sha256={'g' * 64}"])
def test_an_address_needs_a_hash(packed: Path, certificate: Path, fragment: str) -> None:
    with https_server({"/sent.zip": packed.read_bytes()}, certificate) as (address, requests):
        with pytest.raises(UsageError, match=r"sent\.zip needs the SHA-256 of the file"):
            read_bundle(f"{address}/sent.zip{fragment}")
    assert requests == []


def test_plain_http_is_refused_also_after_a_redirect(packed: Path, certificate: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="over https only"):
        read_bundle(f"http://localhost/sent.zip#sha256={OTHER}")
    with https_server({}, certificate) as (address, requests):
        with pytest.raises(BundleError, match=r"redirects to http://localhost:9/x\.zip, which is not https"):
            read_bundle(f"{address}/to/http://localhost:9/x.zip#sha256={OTHER}")
    assert len(requests) == 1


def test_a_redirect_that_stays_on_https_is_followed(packed: Path, certificate: Path) -> None:
    with https_server({"/sent.zip": packed.read_bytes()}, certificate) as (address, requests):
        assert read_bundle(f"{address}/to/{address}/sent.zip#sha256={sha256_of(packed)}").info.name == "small"
    assert len(requests) == 2


def test_a_server_with_an_unknown_certificate_is_refused(
    packed: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with https_server({"/sent.zip": packed.read_bytes()}, certificate) as (address, _):
        with pytest.raises(BundleError, match="certificate verify failed"):
            read_bundle(f"{address}/sent.zip#sha256={sha256_of(packed)}")


def test_files_larger_than_any_bundle_are_refused_before_and_while_they_come(
    packed: Path, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, sha256 = packed.read_bytes(), sha256_of(packed)
    monkeypatch.setattr(addresses, "MAX_BYTES", len(content) - 1)
    with https_server({"/sent.zip": content}, certificate) as (address, _):
        with pytest.raises(BundleError, match="a bundle has at most"):
            read_bundle(f"{address}/sent.zip#sha256={sha256}")
    with https_server({"/sent.zip": content}, certificate, stated_size=0) as (address, _):
        with pytest.raises(BundleError, match="has more than"):
            read_bundle(f"{address}/sent.zip#sha256={sha256}")
    assert _cached(tmp_path) == []


def test_a_reply_cut_off_a_missing_file_and_a_missing_server_are_told(
    packed: Path, certificate: Path, tmp_path: Path
) -> None:
    content, sha256 = packed.read_bytes(), sha256_of(packed)
    with https_server({"/sent.zip": content}, certificate, stated_size=len(content) + 5) as (address, _):
        with pytest.raises(BundleError, match=r"sent\.zip"):
            read_bundle(f"{address}/sent.zip#sha256={OTHER}")
        with pytest.raises(BundleError, match="the server answers 404"):
            read_bundle(f"{address}/other.zip#sha256={sha256}")
    with pytest.raises(BundleError, match="cannot be fetched"):
        read_bundle(f"{address}/sent.zip#sha256={sha256}")
    assert _cached(tmp_path) == []


def test_a_harmful_zip_file_of_the_right_hash_is_refused(packed: Path, certificate: Path, tmp_path: Path) -> None:
    harmful = zip_of(tmp_path / "harmful.zip", members_of(tmp_path / "small") | {"../escaped": b""})
    with https_server({"/h.zip": harmful.read_bytes()}, certificate) as (address, _):
        with pytest.raises(BundleError, match=r"^https://localhost:\d+/h\.zip is refused: it has the member"):
            read_bundle(f"{address}/h.zip#sha256={sha256_of(harmful)}")
    assert _cached(tmp_path) == []


def test_the_command_takes_an_address(packed: Path, certificate: Path) -> None:
    with https_server({"/sent.zip": packed.read_bytes()}, certificate) as (address, _):
        words = ["bundle", "info", f"{address}/sent.zip#sha256={sha256_of(packed)}"]
        program = "import sys; from leafid.cli import main; main()"
        finished = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert finished.stdout.startswith("bundle") and "small@" in finished.stdout
    assert finished.stderr == f"Fetching the bundle {address}/sent.zip\n"


# --- The Hugging Face Hub --------------------------------------------------------------------------------------------

HUB_PROGRAM = """\
import sys
from leafid.bundle import read_bundle
from leafid.errors import LeafidError
for name in sys.argv[1:]:
    try:
        print(read_bundle(name).info.name, sorted(path.name for path in read_bundle(name).folder.iterdir()))
    except LeafidError as error:
        print(type(error).__name__, error)
"""


def _with_hub(endpoint: str, home: Path, *names: str) -> list[str]:
    """Read models in a process of its own: the Hub's package reads its settings when it is imported."""
    own = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    own |= {"NO_PROXY": "localhost", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    words = [sys.executable, "-c", HUB_PROGRAM, *names]
    finished = subprocess.run(words, capture_output=True, text=True, env=os.environ | own, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()


def test_a_model_of_the_hub_is_read_and_kept(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    files = members_of(write_small_bundle(tmp_path / "small")) | {"README.md": b"no part of a bundle"}
    with hub({"herbarium/leaves": files, "herbarium/text": {"README.md": b""}}) as endpoint:
        found = _with_hub(
            endpoint,
            tmp_path / "home",
            "hf://herbarium/leaves",
            f"hf://herbarium/leaves@{COMMIT}",
            "hf://herbarium/text",
            "hf://nobody/nothing",
            "hf://leaves",
        )
    kept = "small ['MODEL_CARD.md', 'bundle.json', 'engines', 'model.safetensors']"
    assert found[:2] == [kept, kept]
    assert found[2].startswith("BundleError hf://herbarium/text is not a bundle: it has no bundle.json.")
    assert found[3].startswith("BundleError hf://nobody/nothing cannot be fetched: the Hub answers 404.")
    assert found[4].startswith("UsageError hf://leaves: write hf://OWNER/NAME")
    gone = _with_hub(endpoint, tmp_path / "home", f"hf://herbarium/leaves@{COMMIT}", "hf://herbarium/other")
    assert gone[0] == kept and gone[1].startswith("BundleError hf://herbarium/other cannot be fetched, and is not in")


def test_a_model_larger_than_any_bundle_is_not_fetched(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    files = members_of(write_small_bundle(tmp_path / "small"))
    with hub({"herbarium/leaves": files}, stated_size=3_000_000_000) as endpoint:
        (found,) = _with_hub(endpoint, tmp_path / "home", "hf://herbarium/leaves")
    assert "a bundle has at most 4" in found and not list((tmp_path / "home").rglob("model.safetensors"))


def test_without_the_package_the_extra_is_named(tmp_path: Path) -> None:
    program = "import sys; sys.modules['huggingface_hub'] = None\n" + HUB_PROGRAM
    words = [sys.executable, "-c", program, "hf://herbarium/leaves"]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert printed.startswith("InstallationError") and "pip install 'leafid[hub]'" in printed
