"""Who did what to which case: one JSON line an act, only ever appended, without any patient identifier."""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import json
import logging
import os
import threading
from pathlib import Path

_LOG = logging.getLogger("sanum.service")


class AuditLog:
    """Appends to `audit.log`. Names of files and labels never reach it: they may name a patient.

    A line that finds no room goes to the service's own log at once, and to its place when there is room again: what
    the line tells has been done by then.

    Args:
        path: the log; made when missing, readable by its owner only.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[bytes] = []
        self._alone = threading.Lock()

    def write(self, who: str, action: str, case: str = "", **facts: str | int | float) -> None:
        """Append one act.

        Args:
            who: name of the token, or "local", "service".
            action: such as "case.submit".
            case: its id, where one is concerned.
            facts: further plain facts without identifiers.
        """
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "who": who, "action": action, "case": case, **facts}) + "\n"
        with self._alone:
            self._waiting.append(line.encode())
            try:
                self._append()
            except OSError as error:
                _LOG.warning("audit.log: %s; the line waits: %s", error.strerror, line.rstrip())

    def _append(self) -> None:
        """Write what waits, each line whole or not at all."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            with contextlib.suppress(OSError):  # not every shared file system has locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            while self._waiting:
                end = os.fstat(descriptor).st_size
                if os.write(descriptor, self._waiting[0]) < len(self._waiting[0]):
                    os.ftruncate(descriptor, end)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                del self._waiting[0]
        finally:
            os.close(descriptor)
