"""Metrics agree with slow definitions, and refuse what has no answer."""

import numpy as np
import pytest

from sanum.core.errors import CohortError
from sanum.evaluation.metrics import auroc, average_precision


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
