"""Progress of a case as server-sent events."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator

from sanum.service.faults import fault_of
from sanum.service.problems import RequestError
from sanum.service.wire import CaseOut

POLL_SECONDS = 0.3
STREAM_SECONDS = 60.0
"""A stream ends after a while, so that idle clients don't hold threads; a client then asks again."""

BEAT_SECONDS = 10.0
"""A silent stream sends a comment this often: proxies close what looks dead, and a gone client is noticed."""

FAULT_SECONDS = 2.0
"""How long a stream waits for a database that does not answer, before it asks again."""

STREAMS = 16
"""At once in one web process, a quarter of its threads; see `sanum.service.web_server.THREADS`."""


class Streams:
    """Places for streams of events; who finds none asks for the case itself from time to time."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(STREAMS)

    def open(self, parts: Iterator[str]) -> Iterator[str]:
        """The same parts, with a place taken until they end or are closed.

        Raises:
            RequestError: 503 when there is no place.
        """
        if not self._places.acquire(blocking=False):
            told = "As many streams of events are open as this service holds; ask for the case instead."
            raise RequestError(503, "busy", told, retry_after=RETRY_SECONDS)
        return _Held(parts, self._places.release)


class _Held:
    """Gives its place back once, also where no part was ever asked for."""

    def __init__(self, parts: Iterator[str], give_back: Callable[[], None]) -> None:
        self._parts = parts
        self._ending = contextlib.ExitStack()
        self._ending.callback(give_back)
        if isinstance(parts, Generator):
            self._ending.callback(parts.close)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self._parts)

    def close(self) -> None:
        """Called by the server when the answer ends, however it ends."""
        self._ending.close()


RETRY_SECONDS = 5


def events(look: Callable[[], CaseOut | None]) -> Iterator[str]:
    """One event whenever the case has changed, until it has ended, was deleted, or time is up.

    Args:
        look: gives the case as it now is; None once it was deleted.
    """
    shown = ""
    end = time.monotonic() + STREAM_SECONDS
    beat = time.monotonic() + BEAT_SECONDS
    while time.monotonic() < end:
        try:
            case = look()
        except Exception as error:
            if fault_of(error) is None:
                raise
            yield ": waiting for the database\n\n"
            time.sleep(FAULT_SECONDS)
            continue
        if case is None:
            yield "event: deleted\ndata: {}\n\n"
            return
        text = case.model_dump_json()
        if text != shown:
            shown = text
            yield f"event: case\ndata: {text}\n\n"
        if case.status in ("done", "failed"):
            return
        if time.monotonic() >= beat:
            beat = time.monotonic() + BEAT_SECONDS
            yield ": still here\n\n"
        time.sleep(POLL_SECONDS)
