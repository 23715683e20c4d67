"""Temperature scaling of the probe and of networks that fine-tuning could keep."""

import numpy as np
import pytest
from scipy.special import softmax

from leafid.learning.temperature import fit_temperature


@pytest.mark.parametrize("images", [10, 100])
def test_images_that_are_all_right_do_not_make_a_probe_certain(images: int) -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 5, images)
    logits = random.normal(0, 1, (images, 5))
    logits[np.arange(images), labels] += 300
    temperature, _ = fit_temperature(logits, labels, lowest=1.0)
    wrong = 1 - softmax(logits / temperature, axis=1).max(axis=1).mean()
    assert 0.5 / images < wrong < 2 / images  # as if one more image were wrong


def test_the_temperature_recovers_the_scale_of_logits() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (4000, 6))
    labels = (softmax(logits, axis=1).cumsum(axis=1) > random.random((4000, 1))).argmax(axis=1)
    temperature, nll = fit_temperature(7 * logits, labels)
    assert temperature == pytest.approx(7, rel=0.1)
    assert nll == pytest.approx(-np.log(softmax(logits, axis=1)[np.arange(4000), labels]).mean(), abs=0.01)
