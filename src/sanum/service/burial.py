"""What is noted when a worker process has died."""

from __future__ import annotations

import logging
import signal
from pathlib import Path

from sqlalchemy.engine import Engine

from sanum.service import jobs
from sanum.service.faults import cause_of

KILLS = Path("/proc/vmstat")
"""Where Linux counts what it killed for want of memory."""

_LOG = logging.getLogger("sanum.service")


class Burial:
    """Gives back what dead workers held, and says whether their case may be to blame.

    A worker that was killed from outside (by an operator, by a service manager) says nothing against its case. One
    that the kernel killed for want of memory does: the same case would kill the next one.

    Args:
        engine: the service's database; it may be away.
        kills: as `KILLS`.
    """

    def __init__(self, engine: Engine, kills: Path = KILLS) -> None:
        self._engine = engine
        self._path = kills
        self._kills = memory_kills(kills)

    def __call__(self, role: str, name: str, status: int) -> None:
        """Note the death of a process.

        Args:
            role: of the process; only workers hold cases.
            name: of the worker.
            status: its exit status; negative is the signal that ended it.
        """
        if role != "worker":
            return
        before, self._kills = self._kills, memory_kills(self._path)
        starved = self._kills is None or self._kills != before
        outside = status == -signal.SIGTERM or (status == -signal.SIGKILL and not starved)
        try:
            jobs.release(self._engine, name, excused=outside)
        except Exception as error:  # others miss the worker later
            _LOG.warning("the death of a worker can't be noted: %s", cause_of(error))


def memory_kills(path: Path) -> int | None:
    """How many processes the kernel has killed for want of memory; None where it does not say."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
