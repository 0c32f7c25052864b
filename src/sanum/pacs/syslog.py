"""Messages to a syslog server, after RFC 5424. Nobody waits for it; `audit.log` has what a silent server missed."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import socket
import threading
from logging.handlers import SysLogHandler

from sanum.pacs.config import SyslogServer

MOST_WAITING = 10_000
LAST_SECONDS = 2.0

_LOG = logging.getLogger("sanum.pacs")


class _Handler(SysLogHandler):
    append_nul = False
    priority_map = {"INFO": "notice"}  # noqa: RUF012  as the standard library has it

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the standard library's name
        del record
        raise  # the error that is being handled


class Syslog:
    """Sends in a thread of its own.

    Args:
        server: where to.
    """

    def __init__(self, server: SyslogServer) -> None:
        self._server = server
        self._waiting: queue.Queue[str | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def send(self, text: str, moment: str) -> None:
        """Send one line; `moment` is ISO 8601."""
        header = f"1 {moment} {socket.gethostname()} sanum {os.getpid()} DICOM+RFC3881 -"
        end = "\n" if self._server.protocol == "tcp" else ""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(f"{header} \ufeff{text}{end}")

    def close(self) -> None:
        """Send what waits, if that takes no more than a moment."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(LAST_SECONDS)

    def _run(self) -> None:
        handler: _Handler | None = None
        for text in iter(self._waiting.get, None):
            try:
                handler = handler or self._connect()
                handler.emit(logging.LogRecord("audit", logging.INFO, "", 0, text, None, None))
            except OSError as error:
                _LOG.warning("syslog %s: %s; a message was not sent", self._server.host, error.strerror)
                handler = None

    def _connect(self) -> _Handler:
        kind = socket.SOCK_STREAM if self._server.protocol == "tcp" else socket.SOCK_DGRAM
        return _Handler((self._server.host, self._server.port), SysLogHandler.LOG_AUTHPRIV, kind)
