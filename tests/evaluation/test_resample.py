"""Draws go by subject; tests between two models agree with slow definitions and keep their level."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from sanum.core.errors import CohortError
from sanum.evaluation.resample import (
    case_weights,
    delong,
    interval,
    paired_bootstrap,
    paired_permutation,
    weighted_auroc,
    weighted_mean,
)


def test_a_subject_brings_all_its_cases():
    weights = case_weights(["a", "b", "a", "c"], 200, seed=0)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_weighted_auroc_is_the_auroc_of_the_drawn_cases():
    rng = np.random.default_rng(0)
    scores, sick = rng.integers(0, 9, 40).astype(float), rng.random(40) < 0.5
    weights = case_weights([str(i) for i in range(40)], 20, seed=1)
    for weight, value in zip(weights, weighted_auroc(scores, sick)(weights), strict=True):
        drawn = np.repeat(np.arange(40), weight.astype(int))
        assert value == pytest.approx(roc_auc_score(sick[drawn], scores[drawn]), abs=1e-9)


def test_a_mean_leaves_out_cases_without_a_value():
    values = np.array([1.0, np.nan, 3.0])
    assert weighted_mean(values)(np.array([[1.0, 5.0, 1.0], [0.0, 1.0, 0.0]]))[0] == 2.0
    estimate = interval(weighted_mean(values), case_weights(["a", "b", "c"], 50, 0))
    assert estimate.low <= estimate.value <= estimate.high
    with pytest.raises(CohortError, match="a class is missing"):
        interval(weighted_mean(np.array([np.nan])), np.ones((3, 1)))


def slow_delong(first, second, sick):
    """Variance by the structural components of DeLong's paper, pair by pair."""

    def compare(x, y):
        return 1.0 if x > y else 0.5 if x == y else 0.0

    ill, well = np.flatnonzero(sick), np.flatnonzero(~sick)
    areas, v10, v01 = [], [], []
    for scores in (first, second):
        pairs = np.array([[compare(scores[i], scores[j]) for j in well] for i in ill])
        areas.append(pairs.mean())
        v10.append(pairs.mean(axis=1))
        v01.append(pairs.mean(axis=0))
    s = np.cov(v10) / len(ill) + np.cov(v01) / len(well)
    z = (areas[0] - areas[1]) / np.sqrt(s[0, 0] + s[1, 1] - 2 * s[0, 1])
    return areas[0] - areas[1], 2 * norm.sf(abs(z))


def test_delong_by_the_slow_definition():
    rng = np.random.default_rng(2)
    sick = rng.random(60) < 0.4
    first = np.round(rng.normal(size=60) + sick, 1)
    second = np.round(first + rng.normal(size=60), 1)
    found = delong(first, second, sick)
    value, p = slow_delong(first, second, sick)
    assert found.value == pytest.approx(value, abs=1e-12)
    assert found.p_value == pytest.approx(p, abs=1e-9)


def test_delong_and_bootstrap_agree():
    rng = np.random.default_rng(3)
    sick = rng.random(300) < 0.4
    first, second = rng.normal(size=300) + 1.2 * sick, rng.normal(size=300) + 0.8 * sick
    exact = delong(first, second, sick)
    weights = case_weights([str(i) for i in range(300)], 2000, 0)
    drawn = paired_bootstrap(weighted_auroc(first, sick), weighted_auroc(second, sick), weights)
    assert drawn.value == pytest.approx(exact.value, abs=1e-12)
    assert (drawn.low, drawn.high) == pytest.approx((exact.low, exact.high), abs=0.015)


def test_equal_models_do_not_differ_and_better_ones_do():
    rng = np.random.default_rng(4)
    sick = rng.random(80) < 0.5
    scores = rng.normal(size=80) + sick
    assert delong(scores, scores, sick).p_value == 1.0
    figures = rng.random(80)
    names = [str(i) for i in range(80)]
    assert paired_permutation(figures, figures, names, draws=200, seed=0) == 1.0
    assert paired_permutation(figures + 0.1, figures, names, draws=999, seed=0) == pytest.approx(0.001)


def test_the_permutation_test_keeps_its_level():
    rng = np.random.default_rng(5)
    names = [str(i // 2) for i in range(40)]
    below = [
        paired_permutation(rng.normal(size=40), rng.normal(size=40), names, draws=99, seed=trial) <= 0.1
        for trial in range(400)
    ]
    assert np.mean(below) < 0.1 + 3 * np.sqrt(0.09 / 400)


def test_delong_needs_two_of_each_kind():
    with pytest.raises(CohortError, match="1 abnormal and 3 healthy"):
        delong(np.arange(4.0), np.arange(4.0), np.array([True, False, False, False]))


def test_the_interval_covers_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(6)
    names = [str(i) for i in range(30)]
    hits = 0
    for trial in range(200):
        found = interval(weighted_mean(rng.normal(size=30)), case_weights(names, 200, trial))
        hits += found.low <= 0.0 <= found.high
    assert 0.87 < hits / 200 <= 1.0
