"""A name that depends on which way up the photo is, or on its finest detail, is no answer."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from PIL import Image

from leafid.identify import Identifier, Status
from leafid.identify.engines.engine import EngineName, EngineOutput
from leafid.sheets import PreparedImage
from tests.identify.small_bundle import COLOURS, TARGET


@dataclass(frozen=True)
class _LooksAtTheTop:
    """Names the target where the upper half of the photo is brighter, else another taxon, as surely as asked for."""

    probability: float
    seen: list[int] = field(default_factory=list)
    name: EngineName = "torch"
    concurrency: int = 1
    views_per_batch: int = 4

    def predict(self, images: Sequence[PreparedImage]) -> EngineOutput:
        self.seen.append(len(images))
        other = (1 - self.probability) / 2
        rows = []
        for image in images:
            view = image.views[0].astype(float)
            upright = view[: len(view) // 2].mean() > view[len(view) // 2 :].mean()
            row = np.full(len(COLOURS), other)
            row[sorted(COLOURS).index(TARGET) if upright else 0] = self.probability
            rows.append(np.log(row))
        return EngineOutput(np.array(rows, np.float32), np.ones((len(images), 4), np.float32))


def _photo() -> Image.Image:
    shades = np.repeat(np.linspace(250, 20, 48).astype(np.uint8)[:, None], 48, axis=1)
    return Image.fromarray(np.stack([shades] * 3, axis=2))


def _turned(photo: Image.Image) -> Image.Image:
    return photo.transpose(Image.Transpose.ROTATE_180)


def test_a_name_that_turning_the_photo_changes_is_ambiguous(identifier: Identifier) -> None:
    engine = _LooksAtTheTop(0.9)
    unsure = replace(identifier, engine=engine)
    records = list(unsure.identify([_photo(), _turned(_photo())]))
    # Three of four looks agree, so that the mean is below the bundle's 0.8.
    assert [record.reason for record in records] == ["ambiguous"] * 2
    assert records[0].probability == pytest.approx((3 * 0.9 + 0.05) / 4, abs=1e-5)
    assert engine.seen == [2, 2, 2, 2]


@pytest.mark.parametrize(("probability", "status"), [(0.99, Status.IDENTIFIED), (0.5, Status.UNDETERMINED)])
def test_sure_answers_and_those_without_a_name_need_no_second_look(
    identifier: Identifier, probability: float, status: Status
) -> None:
    engine = _LooksAtTheTop(probability)
    (record,) = replace(identifier, engine=engine).identify([_photo()])
    assert record.status is status and record.probability == pytest.approx(probability, abs=1e-5)
    assert engine.seen == [1]
