"""gunicorn's threaded worker, with a limit on how long a request's head may take: it has none, and each head that
trickles in would hold a thread for ever, before any token is looked at."""

from __future__ import annotations

from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from sanum.service.deadlines import CONNECTION_DEADLINES

HEAD_SECONDS = 15.0
"""From the first byte of a request to the end of its head."""


class DeadlineWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn is untyped
    """Closes connections whose request does not begin in time."""

    def handle(self, conn: Any) -> Any:
        """Wait for a request and answer it."""
        CONNECTION_DEADLINES.begin(conn.sock, HEAD_SECONDS)
        try:
            return super().handle(conn)
        finally:
            CONNECTION_DEADLINES.end(conn.sock)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose head has come."""
        CONNECTION_DEADLINES.end(conn.sock)
        return super().handle_request(req, conn)
