"""Rates: a burst passes, a flood does not, and names do not slow each other."""

from __future__ import annotations

from sanum.service.throttle import MOST_BUCKETS, Throttle


def test_a_burst_passes_then_waits_and_recovers():
    now = [0.0]
    throttle = Throttle(60, clock=lambda: now[0])
    assert [throttle.wait_seconds("a") for _ in range(60)] == [0.0] * 60
    assert throttle.wait_seconds("a") == 1.0
    assert throttle.wait_seconds("b") == 0.0
    now[0] = 1.5
    assert throttle.wait_seconds("a") == 0.0
    assert throttle.wait_seconds("a") > 0


def test_names_that_rest_are_forgotten():
    now = [0.0]
    throttle = Throttle(60, clock=lambda: now[0])
    for number in range(MOST_BUCKETS):
        throttle.wait_seconds(str(number))
    now[0] = 100.0
    throttle.wait_seconds("one more")
    assert len(throttle._buckets) < 10
