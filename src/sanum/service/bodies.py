"""Bodies of requests: so many at once, at a least rate, and read to their end before a connection is closed."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import IO

from sanum.service.deadlines import CONNECTION_DEADLINES
from sanum.service.problems import RequestError

BODIES = 16
"""Read at once in one web process; its other threads stay for everything else."""

STEP_SECONDS = 10.0
"""64 kB of a body, as much as is asked for at once, must arrive within: a least rate of 6.5 kB/s."""

DRAIN_SECONDS = 10.0
"""How long a body that was answered without being read is read away. A client that is still sending when its
connection closes may never see the answer."""

DRAINS = 4
"""Bodies read away at once: whoever has no token may make the service do it."""

RETRY_SECONDS = 5

_DRAIN_BYTES = 1 << 16


class Body:
    """A request's body as it comes, within a time.

    Args:
        raw: what the server gives.
        connection: the client's, where the server lends it: it is shut when its time is over.
        seconds: for all of it.
        length: bytes that it has, where its head says.
    """

    def __init__(
        self, raw: IO[bytes], connection: socket.socket | None, seconds: float, length: int | None = None
    ) -> None:
        self._raw = raw
        self._connection = connection
        self._end = time.monotonic() + seconds
        self.count = 0
        """Bytes that have come."""
        self._length = length
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether all of it has come."""
        return self._ended or (self._length is not None and self.count >= self._length)

    def read(self, size: int = -1) -> bytes:
        """As of a file.

        Raises:
            RequestError: 400 for chunks that are not HTTP.
        """
        try:
            with self._within(min(STEP_SECONDS, self._end - time.monotonic())):
                content = self._raw.read(size)
        except Exception as error:
            if not type(error).__module__.startswith("gunicorn.http"):
                raise
            told = "The body is not sent as HTTP asks: a chunk's size or end is wrong."
            raise RequestError(400, "bad-body", told) from error
        self.count += len(content)
        self._ended = not content
        return content

    def drain(self) -> None:
        """Read away what is left, for a while."""
        self._end = min(self._end, time.monotonic() + DRAIN_SECONDS)
        with contextlib.suppress(OSError, RequestError):
            while time.monotonic() < self._end and self.read(_DRAIN_BYTES):
                pass
        self.stop()

    def stop(self) -> None:
        """Wait for no more of it: the server would read on, to keep the connection for a next request."""
        if self._connection is not None and not self.ended:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RD)

    @contextlib.contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        if self._connection is None:
            yield
            return
        with CONNECTION_DEADLINES.limit(self._connection, seconds):
            yield


class BodySlots:
    """So many bodies are read at once; whoever finds no slot is answered 503.

    Args:
        count: how many.
    """

    def __init__(self, count: int = BODIES) -> None:
        self._slots = threading.BoundedSemaphore(count)
        self._drains = threading.BoundedSemaphore(DRAINS)

    @contextlib.contextmanager
    def slot(self) -> Iterator[None]:
        """Room to read one body.

        Raises:
            RequestError: 503 when there is none.
        """
        if not self._slots.acquire(blocking=False):
            told = "As many uploads arrive as this service reads at once; try again in a moment."
            raise RequestError(503, "busy", told, retry_after=RETRY_SECONDS)
        try:
            yield
        finally:
            self._slots.release()

    def drain(self, body: Body) -> None:
        """Read away what is left of a body, unless many others are."""
        if body.ended:
            return
        if self._drains.acquire(blocking=False):
            try:
                body.drain()
            finally:
                self._drains.release()
        else:
            body.stop()
