"""The drift watch: calm without drift, loud with it, and equal to an independent library's."""

import numpy as np
import pytest

from sanum.calibration.drift import ALARM, BETS, JUMP, WATCH, Drift, watch_drift
from sanum.core.errors import CalibrationError


def test_without_drift_an_alarm_is_rarer_than_guaranteed():
    rng = np.random.default_rng(0)
    alarms = [watch_drift(rng.normal(size=25), rng.normal(size=150)).state == "alarm" for _ in range(300)]
    assert np.mean(alarms) <= 0.01 + 3 * np.sqrt(0.01 / 300)


def test_p_values_are_uniform_without_drift_even_for_few_subjects():
    from scipy.stats import kstest

    rng = np.random.default_rng(1)
    pooled = np.concatenate(
        [watch_drift(rng.normal(size=8), rng.normal(size=30), seed=trial).p_values for trial in range(100)]
    )
    assert kstest(pooled, "uniform").pvalue > 0.01


def test_a_shift_is_called_with_its_direction_and_what_to_do():
    rng = np.random.default_rng(2)
    higher = watch_drift(rng.normal(size=40), rng.normal(2.0, 1.0, size=60))
    assert higher.state == "alarm"
    assert higher.first_alarm is not None
    assert higher.first_alarm < 40
    assert "DRIFT" in higher.sentence()
    assert "higher" in higher.sentence()
    assert "--site" in higher.sentence()
    lower = watch_drift(rng.normal(size=40), rng.normal(-2.0, 1.0, size=60))
    assert "lower" in lower.sentence()
    calm = watch_drift(rng.normal(size=40), rng.normal(size=20))
    assert calm.sentence().startswith("No sign of drift in 20 scans")


def test_ties_do_not_raise_an_alarm():
    assert watch_drift(np.ones(30), np.ones(200)).evidence.max() < ALARM


def test_the_martingale_agrees_with_mapie():
    """The same p-values give MAPIE's jumper martingale the same wealth."""
    testing = pytest.importorskip("mapie.exchangeability_testing")
    rng = np.random.default_rng(3)
    found = watch_drift(rng.normal(size=20), rng.normal(0.7, 1.0, size=50))
    other = testing.OnlineMartingaleTest(jump_size=JUMP, task="regression")
    wealth = [other.update_simple_jumper_martingale(p) for p in found.p_values]
    assert BETS.tolist() == other._jumper_expert_grid.tolist()
    assert found.evidence == pytest.approx(wealth)


@pytest.mark.parametrize(("incoming", "message"), [([], "no incoming score"), ([1.0, np.nan], "not finite")])
def test_what_cannot_be_watched_is_refused(incoming, message):
    with pytest.raises(CalibrationError, match=message):
        watch_drift(np.ones(5), incoming)


def test_the_alarm_is_counted_from_one_and_each_state_has_its_words():
    p = np.full(3, 0.4)
    alarm = Drift(p, np.array([1.0, ALARM, 2 * ALARM]), 2, rising=True)
    assert "after 2 scans it was clear that scores are higher than at calibration" in alarm.sentence()
    watch = Drift(p, np.array([1.0, WATCH, 1.0]), None, rising=False)
    assert (watch.state, watch.sentence()[:44]) == ("watch", "Watch: scores of 3 scans seem lower than at ")
    found = watch_drift(np.arange(40.0), np.full(30, 100.0))
    assert found.first_alarm == 1 + int(np.argmax(found.evidence >= ALARM))
    assert found.rising


def test_each_scan_is_ranked_among_all_before_it():
    """The best of n + 1 has a p-value of at most 1 / (n + 1), and n grows with every scan."""
    found = watch_drift(np.arange(4.0), [10.0, 11.0, 12.0])
    assert (found.p_values <= [1 / 5, 1 / 6, 1 / 7]).all()
    assert not (found.p_values <= [1 / 50, 1 / 60, 1 / 70]).all()
    second = watch_drift(np.arange(4.0), [10.0, 11.0, 10.5]).p_values[2]
    assert 1 / 7 < second <= 2 / 7


def test_the_same_seed_breaks_ties_alike():
    first, again = (watch_drift(np.ones(9), np.ones(5), seed=3).p_values for _ in range(2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != watch_drift(np.ones(9), np.ones(5), seed=4).p_values.tolist()
