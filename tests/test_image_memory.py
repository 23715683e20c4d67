"""Very large images are converted in strips, reduced first where that is enough, and never opened all at once."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leafid.images import conversion, decoded_size, open_image
from leafid.images.memory import MemoryBudget


def test_requests_wait_for_memory_in_their_order() -> None:
    budget, order = MemoryBudget(100), []
    free = threading.Event()

    def use(name: str, size: int) -> None:
        with budget.reserved(size):
            order.append(name)
            if name == "first":
                free.wait(20)

    threads = []
    for name, size in [("first", 60), ("large", 500), ("small", 1)]:
        threads.append(threading.Thread(target=use, args=(name, size)))
        threads[-1].start()
        deadline = time.monotonic() + 20
        while len(budget._waiting) != max(0, len(threads) - 1) and time.monotonic() < deadline:
            time.sleep(0.005)
    assert order == ["first"]  # the small one would fit, but does not pass the large one
    free.set()
    for thread in threads:
        thread.join(20)
    assert order == ["first", "large", "small"]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "CMYK", "1", "I;16"])
def test_strips_give_the_same_pixels_as_the_whole(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    grain = np.random.default_rng(0).integers(0, 256, (37, 53, 4), dtype=np.uint8)
    image = (
        Image.fromarray(grain[..., 0].astype(np.uint16) * 257)
        if mode == "I;16"
        else Image.fromarray(grain[..., :3]).convert(mode)
    )
    if mode == "RGBA":
        image = Image.fromarray(grain)
    whole = conversion.convert_to_srgb(image.copy(), None)
    monkeypatch.setattr(conversion, "STRIP_PIXELS", 500)
    assert conversion.convert_to_srgb(image.copy(), None).tobytes() == whole.tobytes()
    reduced = conversion.convert_to_srgb(image.copy(), None, reduction=4)
    assert reduced.tobytes() == whole.reduce(4).tobytes()


def test_very_large_images_are_reduced_to_the_needed_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (600, 400), (60, 170, 70)).save(tmp_path / "scan.png")
    monkeypatch.setattr(decoded_size, "REDUCED_ABOVE", 100_000)
    opened = open_image(tmp_path / "scan.png", needed_side=90)
    assert (opened.width, opened.height) == (600, 400) and opened.rgb.size == (150, 100)
    assert open_image(tmp_path / "scan.png").rgb.size == (600, 400)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from Linux")
@pytest.mark.timeout(280)
def test_a_scan_of_60_megapixels_with_16_bits_takes_less_than_600_mb(tmp_path: Path) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "scan.tif", shape=(9000, 6700, 3), dtype=np.uint16, photometric="rgb")
    code = (
        "import sys; from pathlib import Path; from leafid.images import open_image\n"
        "opened = open_image(Path(sys.argv[1]))\n"
        "assert opened.rgb.size == (6700, 9000)\n"
        # Not ru_maxrss, which a child inherits from the process that started it.
        "status = Path('/proc/self/status').read_text()\n"
        "print(status.partition('VmHWM:')[2].split()[0])"
    )
    ran = subprocess.run([sys.executable, "-c", code, tmp_path / "scan.tif"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) * 1024 < 600_000_000
