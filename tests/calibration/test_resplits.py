"""Re-splits against a slow loop, theory, and scores that break the guarantee."""

import numpy as np
import pytest

from sanum.calibration.resplits import HeldOut, _share_within, resplit
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


@pytest.mark.parametrize(("level", "flagged"), [(0.1, 2), (0.7, 14)])
def test_the_exact_interval_is_that_of_a_rate_drawn_by_the_calibration(level, flagged):
    """Beta-binomial by its definition: the rate is Beta(m, 20 - m), the alarms are binomial given the rate."""
    from scipy.stats import beta, binom

    rate, tested, tails = np.linspace(0.0, 1.0, 5001), 200, (0.025, 0.975)
    chance = beta.pdf(rate, flagged, 20 - flagged)
    mixed = np.trapezoid(binom.cdf(np.arange(tested + 1)[:, None], tested, rate) * chance, rate, axis=1)
    found = resplit(HeldOut(np.random.default_rng(0).normal(size=219), {}), level, calibration=19, splits=5)
    ends = [int(np.argmax(mixed >= tail)) / tested for tail in tails]
    assert found.interval == pytest.approx(ends)
    plain = binom.cdf(np.arange(tested + 1), tested, level)
    assert found.binomial == pytest.approx([int(np.argmax(plain >= tail)) / tested for tail in tails])
    share = np.array(found.alarms) / tested
    inside = (share > ends[0] - 1e-6) & (share < ends[1] + 1e-6)
    assert found.inside == pytest.approx(inside.mean())
    low, high = found.interval
    assert f"the exact interval [{low:.2f}, {high:.2f}]" in found.sentence()
    low, high = found.binomial
    assert f"the binomial one [{low:.2f}, {high:.2f}]" in found.sentence()


def test_all_of_a_pool_may_calibrate_for_strangers_and_one_subject_is_enough_for_a_high_level():
    own, other = pool(0, 19), HeldOut(np.arange(5.0), {"egg": np.arange(5.0), "spots": np.arange(5.0) + 50})
    found = resplit(own, 0.1, calibration=19, splits=3, strangers=other)
    assert list(found.found) == ["egg", "spots"]
    assert "found: egg " in found.sentence()
    assert ", spots 1.00" in found.sentence()
    lone = resplit(HeldOut(own.healthy, {}), 0.5, calibration=1, splits=3)
    assert (lone.tested, lone.found) == (18, {})


def test_one_share_outside_an_interval_is_counted_outside():
    assert _share_within(np.array([0.0, 0.1, 0.2, 0.3]), (0.1, 0.2)) == 0.5
