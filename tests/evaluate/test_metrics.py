"""Metrics agree with slow definitions, and refuse what has no answer."""

import numpy as np
import pytest

from sanum.core.errors import CohortError
from sanum.evaluate.metrics import auroc, average_precision, bootstrap


def test_auroc_is_the_share_of_ordered_pairs():
    rng = np.random.default_rng(0)
    scores, abnormal = rng.integers(0, 6, 60).astype(float), rng.random(60) < 0.4
    pairs = [
        1.0 if high > low else 0.5 if high == low else 0.0
        for high in scores[abnormal]
        for low in scores[~abnormal]
    ]
    assert auroc(scores, abnormal) == pytest.approx(np.mean(pairs), abs=1e-12)


def test_average_precision_is_the_sum_over_recall_steps():
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    lesion = np.array([True, False, True, False, True])
    assert average_precision(scores, lesion) == pytest.approx((1 / 1 + 2 / 3 + 3 / 5) / 3)


def test_one_class_has_no_figure():
    with pytest.raises(CohortError, match="one class only"):
        auroc(np.zeros(3), np.ones(3, bool))
    with pytest.raises(CohortError, match="marked lesion"):
        average_precision(np.zeros(3), np.zeros(3, bool))


def test_the_bootstrap_draws_subjects_with_all_their_cases():
    seen = []

    def statistic(drawn):
        seen.append(sorted(drawn))
        return float(len(drawn))

    bootstrap(statistic, ["a", "a", "b"], draws=50, seed=0)
    assert all(drawn.count(0) == drawn.count(1) for drawn in seen)


def test_the_interval_covers_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(200):
        sample = rng.normal(size=30)

        def statistic(drawn, sample=sample):
            return float(sample[list(drawn)].mean())

        interval = bootstrap(statistic, [str(i) for i in range(30)], draws=200, seed=trial)
        hits += interval.low <= 0.0 <= interval.high
    assert 0.87 < hits / 200 <= 1.0
