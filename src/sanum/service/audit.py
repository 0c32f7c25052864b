"""Who did what to which case: one JSON line an act, only ever appended, without any patient identifier."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path


class AuditLog:
    """Appends to `audit.log`. Names of files and labels never reach it: they may name a patient.

    Args:
        path: the log; made when missing, readable by its owner only.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

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
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
