"""gunicorn's threaded worker, with limits on requests whose head does not come: it has none, and each head that
trickles in would hold a thread for ever, before any token is looked at."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

from gunicorn.http.errors import InvalidHeader, UnsupportedTransferCoding
from gunicorn.workers.gthread import ThreadWorker

from sanum.service.deadlines import CONNECTION_DEADLINES

HEAD_SECONDS = 15.0
"""From the first byte of a request to the end of its head."""

HEADS = 8
"""Connections that may be without a whole head at once; one more, and the one that waits longest is closed. A head
takes a thread only as long as it takes to come, so only connections that dawdle are ever so many."""

_READ_AWAY = 1 << 16


class Heads:
    """Connections whose request has not begun.

    Args:
        count: how many may be so at once.
    """

    def __init__(self, count: int = HEADS) -> None:
        self._count = count
        self._waiting: dict[socket.socket, None] = {}
        self._lock = threading.Lock()

    def begin(self, connection: socket.socket) -> None:
        """One more; it may be the turn of the oldest one to go."""
        with self._lock:
            self._waiting[connection] = None
            oldest = next(iter(self._waiting)) if len(self._waiting) > self._count else None
            if oldest is not None:
                del self._waiting[oldest]
        if oldest is not None:
            _shut(oldest)

    def end(self, connection: socket.socket) -> None:
        """Its head has come, or it is gone."""
        with self._lock:
            self._waiting.pop(connection, None)


class DeadlineWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn is untyped
    """Closes connections whose request does not begin in time, or while too many others wait."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._heads = Heads()

    def handle(self, conn: Any) -> Any:
        """Wait for a request and answer it."""
        CONNECTION_DEADLINES.begin(conn.sock, HEAD_SECONDS)
        self._heads.begin(conn.sock)
        try:
            kept = super().handle(conn)
        finally:
            self._begun(conn)
        if kept is False:
            _let_go(conn.sock)
        return kept

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose head has come."""
        self._begun(conn)
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that could not be read; a transfer coding that nobody knows is the client's fault (400), where
        gunicorn says 501."""
        told = InvalidHeader("Transfer-Encoding") if isinstance(exc, UnsupportedTransferCoding) else exc
        super().handle_error(req, client, addr, told)

    def _begun(self, conn: Any) -> None:
        CONNECTION_DEADLINES.end(conn.sock)
        self._heads.end(conn.sock)


def _let_go(connection: socket.socket) -> None:
    """gunicorn closes a connection in the thread that takes new ones, and may wait there for the client to close it
    too: a client that does not would keep all others out. So it is shut here."""
    with contextlib.suppress(OSError):
        connection.setblocking(False)
        connection.recv(_READ_AWAY)
    _shut(connection)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
