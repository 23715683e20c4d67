"""Confidence intervals contain the truth as often as they say."""

import numpy as np
import pytest

from leafid.trust.evaluation.metrics import overall_results
from leafid.trust.intervals import jackknife_interval

SIMULATIONS = 150


@pytest.mark.parametrize(("taxa", "per_taxon"), [(35, 2), (12, 8)])
def test_the_interval_of_macro_f1_covers_the_truth_also_with_two_images_of_each_taxon(
    taxa: int, per_taxon: int
) -> None:
    """The truth is macro-F1 over all images that could have been drawn, given the same classifier."""
    random = np.random.default_rng(0)
    logits = 1.5 * (random.normal(size=(taxa, taxa)) + 3.2 * np.diag(random.uniform(0.5, 1.5, taxa)))
    confusion = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = float(np.mean(2 * np.diag(confusion) / (1 + confusion.sum(axis=0))))
    labels = np.repeat(np.arange(taxa), per_taxon)
    low, high = np.array(
        [
            overall_results(
                labels,
                np.array([random.choice(taxa, p=confusion[label]) for label in labels]),
                [str(number) for number in range(len(labels))],
            )["macro_f1_interval"]
            for _ in range(SIMULATIONS)
        ]
    ).T
    covered = np.mean((low <= truth) & (truth <= high))
    assert 0.91 <= covered <= 0.99
    assert np.mean(high < truth) < 0.06  # bootstrap intervals lie below the truth in a quarter of the cases


def test_images_of_one_gathering_are_one_observation() -> None:
    truth, predicted = np.array([0, 0, 1, 1, 0, 1]), np.array([0, 0, 1, 1, 1, 1])
    apart = overall_results(truth, predicted, list("abcdef"))["macro_f1_interval"]
    twice = overall_results(np.tile(truth, 2), np.tile(predicted, 2), list("abcdefabcdef"))["macro_f1_interval"]
    assert twice == pytest.approx(apart)


def test_an_interval_needs_two_gatherings_and_stays_between_0_and_1() -> None:
    assert overall_results(np.array([0, 1]), np.array([0, 1]), ["a", "a"])["macro_f1_interval"] is None
    interval = jackknife_interval(0.9, np.array([0.5, 1.0, 1.0]))
    assert interval is not None and interval == pytest.approx((0.9 - 1.96 * 1 / 3, 1.0), abs=1e-6)
