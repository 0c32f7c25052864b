"""Decision rules: the guarantee of conformal p-values, and refusal of what few scores can't support."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sanum.calibration.rules import decide, p_value, threshold
from sanum.core.errors import CalibrationError
from sanum.core.records import Calibration, Rule, Summary

SCORES = np.arange(1.0, 20.0)


def calibration(rule: Rule, scores: np.ndarray = SCORES) -> Calibration:
    return Calibration(scores, Summary(), rule, np.zeros(7), "d", "p")


def test_mean_plus_three_std_by_hand():
    assert threshold(SCORES, Rule("mean+3std", 3.0)) == pytest.approx(10 + 3 * np.sqrt(30))


def test_quantile_takes_a_score_that_was_seen():
    assert threshold(SCORES, Rule("quantile", 0.9)) in SCORES


@pytest.mark.parametrize(("score", "expected"), [(0.0, 1.0), (19.0, 2 / 20), (19.5, 1 / 20), (10.0, 11 / 20)])
def test_p_value_by_hand(score, expected):
    assert p_value(score, SCORES) == pytest.approx(expected)


@given(
    st.lists(st.integers(0, 12), min_size=2, max_size=40),
    st.integers(-1, 13),
    st.sampled_from([0.05, 0.1, 0.2, 0.3, 0.5, 0.9]),
)
def test_threshold_and_p_value_always_agree(healthy, score, level):
    """Flagging by threshold is exactly flagging by p <= level, ties included."""
    scores = np.sort(np.array(healthy, float))
    if level < 1 / (len(scores) + 1):
        with pytest.raises(CalibrationError, match="smallest is"):
            threshold(scores, Rule("conformal", level))
        return
    decision = decide(float(score), calibration(Rule("conformal", level), scores))
    assert decision.abnormal == (decision.p_value <= level + 1e-12)


def test_conformal_keeps_its_guarantee_over_many_draws():
    rng = np.random.default_rng(0)
    draws = rng.lognormal(size=(4000, 20))
    flagged = [
        decide(row[0], calibration(Rule("conformal", 0.1), np.sort(row[1:]))).abnormal for row in draws
    ]
    assert 0.08 < np.mean(flagged) < 0.12


@pytest.mark.parametrize(
    ("scores", "rule", "message"),
    [
        (np.array([1.0]), Rule(), "at least 2"),
        (np.array([1.0, np.nan]), Rule(), "not finite"),
        (SCORES, Rule("conformal", 0.01), "smallest is 0.050. Give 99"),
        (SCORES, Rule("conformal", 1.5), "between 0 and 1"),
        (SCORES, Rule("quantile", 95), "between 0 and 1"),
        (SCORES, Rule("mean+3std", -1), "0 or more"),
    ],
)
def test_rules_refuse_what_they_cannot_keep(scores, rule, message):
    with pytest.raises(CalibrationError, match=message):
        threshold(scores, rule)


def test_a_score_that_is_not_finite_is_no_decision():
    with pytest.raises(CalibrationError, match="not finite"):
        decide(float("nan"), calibration(Rule()))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Rule("quantile", 0.0), "rule quantile: level 0"),
        (Rule("quantile", 1.0), "rule quantile: level 1"),
        (Rule("quantile", 1.5), "rule quantile: level 1.5"),
        (Rule("conformal", 0.0), "rule conformal: level 0"),
        (Rule("conformal", 1.0), "rule conformal: level 1"),
        (Rule("mean+3std", np.inf), "rule mean.3std: level inf"),
    ],
)
def test_the_ends_of_a_level_are_no_level(rule, message):
    with pytest.raises(CalibrationError, match=message):
        threshold(SCORES, rule)


def test_a_decision_carries_its_threshold_and_the_mean_may_be_one():
    decision = decide(10.5, calibration(Rule("mean+3std", 0.0)))
    assert (decision.threshold, decision.abnormal) == (10.0, True)
    assert not decide(10.0, calibration(Rule("mean+3std", 0.0))).abnormal
