"""Images are opened ahead and answered for at the same time, and still come in order, and never too many of them."""

import threading
from pathlib import Path

import pytest

from leafid.errors import ImageError
from leafid.identify.pipeline import OpenedImage, predict_in_order
from leafid.jobs import Preprocessing
from tests.identify.small_bundle import TARGET, leaf

PREPROCESSING = Preprocessing(size=32)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Return eleven leaves and a file that is none."""
    paths = [tmp_path / f"{number:02d}.png" for number in range(12)]
    for number, path in enumerate(paths):
        leaf(TARGET, number).save(path)
    paths[4].write_text("no leaf")
    return paths


def test_as_many_batches_as_allowed_are_answered_for_together_and_come_in_order(photos: list[Path]) -> None:
    both_here = threading.Barrier(2, timeout=20)

    def answer(batch: tuple[OpenedImage, ...]) -> list[str]:
        both_here.wait()  # breaks unless two calls run at the same time
        return [one.path for one in batch]

    answers = list(predict_in_order(photos, PREPROCESSING, answer, batch_size=3, workers=2, concurrency=2))
    assert [len(one) for one in answers] == [3, 3, 3, 3]
    assert [path for batch in answers for path in batch] == [str(path) for path in photos]


def test_one_at_a_time_is_never_called_twice_at_once(photos: list[Path]) -> None:
    alone = threading.Lock()

    def answer(batch: tuple[OpenedImage, ...]) -> int:
        assert alone.acquire(blocking=False)
        try:
            return sum(isinstance(one.image, ImageError) for one in batch)
        finally:
            alone.release()

    answers = list(predict_in_order(photos, PREPROCESSING, answer, batch_size=5, workers=3, concurrency=1))
    assert answers == [1, 0, 0]


def test_what_goes_wrong_while_answering_is_raised_and_no_thread_stays(photos: list[Path]) -> None:
    def answer(batch: tuple[OpenedImage, ...]) -> str:
        if batch[0].path == str(photos[4]):
            raise RuntimeError("the engine broke")
        return batch[0].path

    answers = predict_in_order(photos, PREPROCESSING, answer, batch_size=2, workers=2, concurrency=2)
    assert [next(answers), next(answers)] == [str(photos[0]), str(photos[2])]
    with pytest.raises(RuntimeError, match="the engine broke"):
        next(answers)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("leafid-")]
