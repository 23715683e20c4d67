"""Decoding and inference run concurrently, results come in input order, and concurrency is limited."""

import threading
from pathlib import Path

import pytest

from leafid.errors import FailureReason, ImageError
from leafid.identify.evidence.pipeline import OpenedImage, predict_in_order
from leafid.identify.inputs.prefetch import PrefetchedImage
from leafid.jobs import Preprocessing
from tests.identify.small_bundle import TARGET, leaf

PREPROCESSING = Preprocessing(size=32)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Return eleven leaves and a file that is not an image."""
    paths = [tmp_path / f"{number:02d}.png" for number in range(12)]
    for number, path in enumerate(paths):
        leaf(TARGET, number).save(path)
    paths[4].write_text("no leaf")
    return paths


def test_batches_run_concurrently_and_come_in_order(photos: list[Path]) -> None:
    both_running = threading.Barrier(2, timeout=20)

    def predict(batch: tuple[OpenedImage, ...]) -> list[str]:
        both_running.wait()  # breaks unless two calls run at the same time
        return [one.path for one in batch]

    results = list(predict_in_order(photos, PREPROCESSING, predict, batch_size=3, workers=2, concurrency=2))
    assert [len(one) for one in results] == [3, 3, 3, 3]
    assert [path for batch in results for path in batch] == [str(path) for path in photos]


def test_with_concurrency_one_calls_never_overlap(photos: list[Path]) -> None:
    alone = threading.Lock()

    def predict(batch: tuple[OpenedImage, ...]) -> int:
        assert alone.acquire(blocking=False)
        try:
            return sum(isinstance(one.image, ImageError) for one in batch)
        finally:
            alone.release()

    results = list(predict_in_order(photos, PREPROCESSING, predict, batch_size=5, workers=3, concurrency=1))
    assert results == [1, 0, 0]


def test_an_error_in_inference_is_raised_and_all_threads_end(photos: list[Path]) -> None:
    def predict(batch: tuple[OpenedImage, ...]) -> str:
        if batch[0].path == str(photos[4]):
            raise RuntimeError("the engine broke")
        return batch[0].path

    results = predict_in_order(photos, PREPROCESSING, predict, batch_size=2, workers=2, concurrency=2)
    assert [next(results), next(results)] == [str(photos[0]), str(photos[2])]
    with pytest.raises(RuntimeError, match="the engine broke"):
        next(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("leafid-")]


def test_an_exception_on_one_image_fails_that_image_alone(photos: list[Path]) -> None:
    broken = PrefetchedImage("https://example.org/leaf.jpg", None)  # type: ignore[arg-type] # raises AttributeError
    sources: list[Path | PrefetchedImage] = [*photos[:4], broken, *photos[5:]]
    batches = list(predict_in_order(sources, PREPROCESSING, list, batch_size=5, workers=2, concurrency=1))
    images = [opened for batch in batches for opened in batch]
    failed = [opened for opened in images if isinstance(opened.image, ImageError)]
    assert len(images) == 12 and [opened.path for opened in failed] == ["https://example.org/leaf.jpg"]
    assert isinstance(failed[0].image, ImageError) and failed[0].image.reason is FailureReason.NOT_PROCESSED
