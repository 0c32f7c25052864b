"""A request rate that each token may keep up: one leaky bucket a token."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

MOST_BUCKETS = 10_000
"""Full buckets are dropped beyond this many: they remember nothing."""


class Throttle:
    """Allows `per_minute` requests a minute to each name, and as many at once after a rest.

    Args:
        per_minute: requests that each name may keep up.
        clock: seconds, monotonic.
    """

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60.0
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def wait_seconds(self, name: str) -> float:
        """Count one request; 0 lets it pass, more says after how many seconds it would."""
        with self._lock:
            now = self._clock()
            left, then = self._buckets.get(name, (self._capacity, now))
            left = min(self._capacity, left + (now - then) * self._per_second)
            passes = left >= 1.0
            self._buckets[name] = (left - 1.0 if passes else left, now)
            if len(self._buckets) > MOST_BUCKETS:
                self._drop_full(now)
            return 0.0 if passes else (1.0 - left) / self._per_second

    def _drop_full(self, now: float) -> None:
        self._buckets = {
            name: (left, then)
            for name, (left, then) in self._buckets.items()
            if left + (now - then) * self._per_second < self._capacity
        }
