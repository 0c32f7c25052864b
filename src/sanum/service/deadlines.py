"""Connections that take too long are closed from outside: a read does not end by itself while bytes trickle in."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

TICK_SECONDS = 0.5


class ConnectionDeadlines:
    """Shuts connections down when their time is over; whoever reads from one then finds its end."""

    def __init__(self) -> None:
        self._ends: dict[socket.socket, float] = {}
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self, connection: socket.socket, seconds: float) -> None:
        """Give a connection so long, from now on; an earlier limit is forgotten."""
        self._ends[connection] = time.monotonic() + seconds
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="connection-deadlines", daemon=True)
                self._thread.start()

    def end(self, connection: socket.socket) -> None:
        """It came in time."""
        self._ends.pop(connection, None)

    @contextlib.contextmanager
    def limit(self, connection: socket.socket, seconds: float) -> Iterator[None]:
        """What is done within must not take longer."""
        self.begin(connection, seconds)
        try:
            yield
        finally:
            self.end(connection)

    def _watch(self) -> None:
        while True:
            time.sleep(TICK_SECONDS)
            now = time.monotonic()
            for connection, end in list(self._ends.items()):
                if now > end:
                    self.end(connection)
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)


CONNECTION_DEADLINES = ConnectionDeadlines()
"""Of this process; its thread starts with the first connection, after gunicorn's fork."""
