"""Child processes that are replaced when they die, each by a clock of its own: one that dies again and again delays no
other."""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

STOP_SECONDS = 30.0
"""A process that is asked to stop is ended after so long."""

RESTART_SECONDS = (0.0, 2.0, 5.0, 10.0)
"""Pauses before a process that died is replaced, longer each time that it died young."""

YOUNG_SECONDS = 20.0

TICK_SECONDS = 0.2

_LOG = logging.getLogger("sanum.service")


@dataclass
class _Place:
    """One process that there should always be."""

    role: str
    process: subprocess.Popen[bytes] | None = None
    name: str = ""
    started: float = 0.0
    due: float = 0.0
    young_deaths: int = 0

    def pause(self, now: float) -> float:
        """Count a death; how long its successor waits."""
        self.young_deaths = self.young_deaths + 1 if now - self.started < YOUNG_SECONDS else 0
        return RESTART_SECONDS[min(self.young_deaths, len(RESTART_SECONDS) - 1)]


class Supervisor:
    """Keeps one process running for each role that is named.

    Args:
        roles: one entry a process.
        start: starts a process of a role, under a name of its own.
        on_death: told role and name of each that died and its exit status (negative: the signal that ended it), in a
            thread of its own: it may take long.
    """

    def __init__(
        self,
        roles: Sequence[str],
        start: Callable[[str, str], subprocess.Popen[bytes]],
        on_death: Callable[[str, str, int], None],
    ) -> None:
        self._places = [_Place(role) for role in roles]
        self._start = start
        self._on_death = on_death
        self.stopping = threading.Event()

    def run(self) -> None:
        """Until asked to stop (SIGTERM, SIGINT); must be called in the main thread."""
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        for number in before:
            signal.signal(number, lambda *_: self.stopping.set())
        while not self.stopping.is_set():
            for place in self._places:
                self._look_after(place, time.monotonic())
            self.stopping.wait(TICK_SECONDS)
        self._stop()
        for number, handler in before.items():
            signal.signal(number, handler)

    def _look_after(self, place: _Place, now: float) -> None:
        if place.process is not None and place.process.poll() is not None:
            pause = place.pause(now)
            status = place.process.returncode
            _LOG.warning("%s ended (%d); starting another in %.0f s", place.role, status, pause)
            place.process, place.due = None, now + pause
            told = (place.role, place.name, status)
            threading.Thread(target=self._on_death, args=told, daemon=True).start()
        if place.process is None and now >= place.due:
            place.name, place.started = uuid.uuid4().hex, now
            try:
                place.process = self._start(place.role, place.name)
            except OSError as error:  # no memory, no process left
                place.due = now + RESTART_SECONDS[-1]
                _LOG.warning("%s can't be started: %s", place.role, error)

    def _stop(self) -> None:
        running = [place.process for place in self._places if place.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
