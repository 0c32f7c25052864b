"""Synchronous predictions take turns: a second one at the same time would only slow the first."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from sanum.service.limits import Limits
from sanum.service.problems import RequestError


class Turns:
    """One place to work, some to wait; whoever finds none is told to come again.

    Args:
        limits: how many may wait, and how long.
    """

    def __init__(self, limits: Limits) -> None:
        self._wait_seconds = limits.wait_seconds
        self._places = threading.BoundedSemaphore(limits.waiting + 1)
        self._turn = threading.Lock()

    @contextlib.contextmanager
    def take(self) -> Iterator[None]:
        """Wait for one's turn.

        Raises:
            RequestError: 503 when too many wait, or one has waited too long.
        """
        if not self._places.acquire(blocking=False):
            raise _busy()
        try:
            if not self._turn.acquire(timeout=self._wait_seconds):
                raise _busy()
            try:
                yield
            finally:
                self._turn.release()
        finally:
            self._places.release()


def _busy() -> RequestError:
    return RequestError(
        503,
        "busy",
        "Earlier scans are still being judged; try again later, or send it to /v1/cases.",
        retry_after=30,
    )
