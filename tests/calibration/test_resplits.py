"""Re-splits against a slow loop, theory, and scores that break the guarantee."""

import numpy as np
import pytest

from sanum.calibration.resplits import HeldOut, resplit
from sanum.core.errors import CalibrationError


def pool(seed, count, shift=0.0, lesion=3.0):
    healthy = np.random.default_rng(seed).lognormal(size=count) + shift
    return HeldOut(healthy, {"ball": healthy + lesion})


def test_counts_are_those_of_a_slow_loop():
    own = pool(0, 30)
    found = resplit(own, 0.1, calibration=19, splits=25, seed=4)
    rng, alarms, hits = np.random.default_rng(4), [], []
    for _ in range(25):
        order = rng.permutation(30)
        healthy = own.healthy[order[:19]]
        called = [(1 + (healthy >= own.healthy[i]).sum()) / 20 <= 0.1 for i in order[19:]]
        alarms.append(sum(called))
        hits.append(
            np.mean([(1 + (healthy >= own.planted["ball"][i]).sum()) / 20 <= 0.1 for i in order[19:]])
        )
    assert found.alarms == alarms
    assert found.rate == pytest.approx(np.mean(alarms) / 11)
    assert found.found == {"ball": pytest.approx(np.mean(hits))}
    assert (found.calibration, found.tested, found.guaranteed) == (19, 11, pytest.approx(0.1))


def test_the_exact_interval_holds_95_per_cent_of_fresh_draws():
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(400):
        fresh = HeldOut(rng.normal(size=40), {})
        one = resplit(fresh, 0.1, calibration=19, splits=1)
        shares.append((one.inside, one.inside_binomial))
    exact, binomial = np.mean(shares, axis=0)
    assert exact >= 0.94
    assert binomial <= exact


def test_strangers_of_another_kind_break_the_guarantee_and_keep_it_among_themselves():
    own, other = pool(2, 30), pool(3, 35, shift=2.0)
    before = resplit(own, 0.05, calibration=19, strangers=other)
    after = resplit(other, 0.05, calibration=19)
    assert before.tested == 35
    assert before.rate > 0.15 > 0.06 > after.rate
    assert before.inside < after.inside
    assert "planted lesions found: ball" in after.sentence()


@pytest.mark.parametrize(
    ("calibration", "level", "message"),
    [(30, 0.1, "leave one to test"), (0, 0.1, "can't calibrate"), (15, 0.05, "can't guarantee")],
)
def test_what_cannot_be_tested_is_refused(calibration, level, message):
    with pytest.raises(CalibrationError, match=message):
        resplit(pool(0, 30), level, calibration=calibration)
