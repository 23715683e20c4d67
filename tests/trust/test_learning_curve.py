"""The learning curve rises with the number of gatherings, and no image is predicted by a probe of its own fold."""

import numpy as np

from leafid.trust.evaluation.learning_curve import DRAWS, learning_curve


def _simulate(noise: float) -> tuple[np.ndarray, np.ndarray]:
    labels = np.tile(np.arange(3), 32)
    random = np.random.default_rng(0)
    return (random.normal(0, 1, (3, 40))[labels] + random.normal(0, noise, (96, 40))).astype(np.float32), labels


def test_the_curve_rises_up_to_all_gatherings() -> None:
    features, labels = _simulate(4)
    curve = learning_curve(features, labels, [f"g{n}" for n in range(96)], 3, shrinkage=0.4)
    assert [point.gatherings for point in curve] == [2, 4, 8, 16, 24]  # 32 minus a fold of 8
    assert [point.images for point in curve] == [6, 12, 24, 48, 72] and curve[0].draws == DRAWS
    assert curve[-1].macro_f1 > curve[0].macro_f1 + 0.1
    assert curve[-1].macro_f1_std == 0  # every draw takes all gatherings
    assert learning_curve(features, labels, [f"g{n}" for n in range(96)], 3, shrinkage=0.4) == curve


def test_random_labels_are_not_learnt() -> None:
    features, labels = _simulate(1)
    shuffled = np.random.default_rng(1).permutation(labels)
    curve = learning_curve(features, shuffled, [f"g{n}" for n in range(96)], 3, shrinkage=0.4)
    assert curve[-1].macro_f1 < 0.5
