"""Synchronous predictions run one at a time: a second one beside it would only slow the first."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from sanum.service.limits import Limits
from sanum.service.problems import RequestError


class ConcurrencyLimit:
    """One slot to run, some to wait; whoever finds none is answered 503.

    Args:
        limits: how many may wait, and how long.
    """

    def __init__(self, limits: Limits) -> None:
        self._wait_seconds = limits.wait_seconds
        self._slots = threading.BoundedSemaphore(limits.waiting + 1)
        self._running = threading.Lock()

    @contextlib.contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for the running prediction to end.

        Raises:
            RequestError: 503 when too many wait, or one has waited too long.
        """
        if not self._slots.acquire(blocking=False):
            raise _busy()
        try:
            if not self._running.acquire(timeout=self._wait_seconds):
                raise _busy()
            try:
                yield
            finally:
                self._running.release()
        finally:
            self._slots.release()


def _busy() -> RequestError:
    return RequestError(
        503,
        "busy",
        "Earlier scans are still being judged; try again later, or send it to /v1/cases.",
        retry_after=30,
    )
