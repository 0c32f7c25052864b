"""Guarantees of p-values, checked against slow definitions, simulation, and an independent library."""

import numpy as np
import pytest

from sanum.calibration.conformal import (
    guarantee,
    nested_p_values,
    p_values,
    subjects_needed,
)
from sanum.calibration.rules import p_value, threshold
from sanum.core.errors import CalibrationError
from sanum.core.records import Rule


def test_many_p_values_are_the_one_by_one_p_values():
    rng = np.random.default_rng(0)
    healthy, scores = rng.integers(0, 9, 25).astype(float), rng.integers(-1, 11, 40).astype(float)
    assert p_values(scores, healthy).tolist() == [p_value(score, healthy) for score in scores]


def test_nested_p_values_by_the_slow_definition():
    rng = np.random.default_rng(1)
    healthy = rng.integers(0, 6, (9, 5)).astype(float)
    healthy[rng.random(healthy.shape) < 0.4] = np.nan
    healthy[3] = np.nan
    scores = np.arange(-1.0, 8.0)
    rows = [row[~np.isnan(row)] for row in healthy]
    slow = [
        (1 + sum(np.mean(row >= score) for row in rows if row.size)) / (len(rows) + 1) for score in scores
    ]
    assert nested_p_values(scores, healthy) == pytest.approx(slow)


def test_one_part_a_subject_is_the_plain_case():
    rng = np.random.default_rng(2)
    healthy, scores = rng.normal(size=30), rng.normal(size=10)
    assert nested_p_values(scores, healthy[:, None]) == pytest.approx(p_values(scores, healthy))


def test_parts_of_one_subject_may_depend_on_each_other():
    """Subjects differ strongly; a random part of a new one still keeps its level."""
    rng = np.random.default_rng(3)
    random_part = []
    for _ in range(3000):
        parts = rng.normal(size=(20, 1)) + 0.3 * rng.normal(size=(20, 6))
        new, healthy = parts[0], parts[1:]
        random_part.append(nested_p_values(new, healthy)[0] <= 0.1)
    assert np.mean(random_part) <= 0.1 + 0.015


def test_the_guarantee_says_what_few_subjects_can_keep():
    few, enough = guarantee(12, 0.05), guarantee(19, 0.05)
    assert not few.kept
    assert "smallest is 0.077; give 19 or more" in few.sentence()
    assert enough.kept
    assert (enough.smallest, enough.rate) == pytest.approx((0.05, 0.05))
    assert "at most 0.050 false alarms" in enough.sentence()
    assert [subjects_needed(level) for level in (0.05, 0.1, 0.01, 0.5)] == [19, 9, 99, 1]
    with pytest.raises(CalibrationError, match="between 0 and 1"):
        guarantee(10, 1.0)


def test_the_interval_of_the_guarantee_holds_the_long_run_rate():
    rng = np.random.default_rng(5)
    stated = guarantee(40, 0.1)
    limits = [threshold(rng.random(40), Rule("conformal", 0.1)) for _ in range(4000)]
    rates = 1.0 - np.array(limits)
    inside = (stated.interval[0] <= rates) & (rates <= stated.interval[1])
    assert rates.mean() == pytest.approx(stated.rate, abs=0.004)
    assert inside.mean() == pytest.approx(0.95, abs=0.012)


class Nothing:
    """A regressor that predicts 0, so that MAPIE's absolute residual of y is y itself."""

    def fit(self, x, y):
        self.n_features_in_ = 1
        return self

    def predict(self, x):
        return np.zeros(len(x))


def test_flagging_agrees_with_mapie():
    """Outside MAPIE's split-conformal interval exactly when p <= level."""
    regression = pytest.importorskip("mapie.regression")
    from sklearn.base import BaseEstimator, RegressorMixin

    zero = type("Zero", (Nothing, RegressorMixin, BaseEstimator), {})().fit(None, None)
    rng = np.random.default_rng(6)
    healthy, new = rng.lognormal(size=57), rng.lognormal(size=400)
    for level in (0.05, 0.1, 0.2):
        split = regression.SplitConformalRegressor(zero, confidence_level=1 - level, prefit=True)
        split.conformalize(np.zeros((57, 1)), healthy)
        _, intervals = split.predict_interval(np.zeros((400, 1)))
        outside = new > intervals[:, 1, 0]
        assert (outside == (p_values(new, healthy) <= level)).all()
        assert (outside == (new > threshold(healthy, Rule("conformal", level)))).all()


@pytest.mark.parametrize(("count", "level"), [(99, 0.29), (99, 0.57), (199, 0.58)])
def test_a_level_that_rounding_makes_a_hair_too_small_keeps_its_rank(count, level):
    """0.29 x 100 is 28.999… in binary: without a tolerance one false alarm less would be allowed than asked for."""
    flagged = round(level * (count + 1))
    assert level * (count + 1) < flagged
    assert guarantee(count, level).rate == pytest.approx(flagged / (count + 1))
    healthy = np.arange(1.0, count + 1)
    limit = threshold(healthy, Rule("conformal", level))
    assert [p_value(limit, healthy), p_value(limit + 0.5, healthy)] == pytest.approx(
        [(flagged + 1) / (count + 1), flagged / (count + 1)]
    )


@pytest.mark.parametrize("count", [49, 98, 103])
def test_the_level_that_so_many_subjects_can_keep_needs_no_more_of_them(count):
    """1 / (1 / 49) is a hair above 49 in binary."""
    assert 1.0 / (1.0 / count) != count
    assert subjects_needed(1.0 / count) == count - 1
    assert guarantee(count - 1, 1.0 / count).kept
