"""A worker process: takes cases from the queue, one at a time, and judges them.

Each worker has a name of its own that it keeps alive in the table of workers. When a name falls silent, any other
worker gives its cases back to the queue. So it makes no difference on which host a worker died. A database that is
away makes all of them silent at once, so a worker that was silent itself holds nobody for dead for a while.
"""

from __future__ import annotations

import functools
import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sqlalchemy.engine import Engine

from sanum.service import cases, jobs
from sanum.service.audit import AuditLog
from sanum.service.case_folder import CaseFolders
from sanum.service.case_judge import Judge, attempt
from sanum.service.cases import Case
from sanum.service.faults import cause_of, fault_of, keep_trying
from sanum.service.retention import Retention, sweep

STOP_SECONDS = 20
"""How long a worker that is asked to stop may finish its case; the case goes back to the queue otherwise."""

SWEEP_SECONDS = 60.0

T = TypeVar("T")

_LOG = logging.getLogger("sanum.service")


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker works.

    Attributes:
        tries: attempts at one case before it fails for good; those that a stop or a kill ended do not count.
        case_seconds: a case that takes longer fails, and the worker is replaced: native code can't be interrupted.
        silent_seconds: a worker that is not heard of for so long is taken for dead.
        poll_seconds: how often the queue is asked.
        retention: when inputs and cases are deleted.
    """

    tries: int = 5
    case_seconds: float = 900.0
    silent_seconds: float = 30.0
    poll_seconds: float = 0.5
    retention: Retention = field(default_factory=Retention)


class Worker:
    """One worker process.

    Args:
        engine: the service's database; it may be away.
        data: the service's data folder; on another host the same folder by a shared file system.
        judge: what judges.
        settings: see there.
        name: of its own, never used before.
    """

    def __init__(
        self, engine: Engine, data: Path, judge: Judge, settings: WorkerSettings, name: str | None = None
    ) -> None:
        self._engine = engine
        self._folders = CaseFolders(data)
        self._audit = AuditLog(data / "audit.log")
        self._judge = judge
        self._settings = settings
        self._name = name or uuid.uuid4().hex
        self._stopping = threading.Event()
        self._busy: tuple[Case, float] | None = None
        self._heard = 0.0
        self._trusts_others_until = 0.0
        self._swept = -SWEEP_SECONDS
        self._faulty = False

    def run(self) -> None:
        """Work until asked to stop (SIGTERM, SIGINT), or until this worker must be replaced."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        self._judge.warm()
        self._heard = time.time()
        self._keep_house()
        judging = threading.Thread(target=self._judge_cases, name="judge", daemon=True)
        judging.start()
        while not self._stopping.wait(min(1.0, self._settings.silent_seconds / 4)):
            self._keep_house()
        self._leave(judging)

    def _keep_house(self) -> None:
        """What is due every second. A fault ends none of it: the next second tries again."""
        try:
            self._heartbeat()
            self._end_overdue_case()
            self._rescue()
            self._sweep()
        except Exception as error:
            if fault_of(error) is None and not isinstance(error, OSError):
                raise
            if not self._faulty:
                _LOG.warning("worker: %s; trying again every second", fault_of(error) or cause_of(error))
            self._faulty = True
        else:
            self._faulty = False

    def _heartbeat(self) -> None:
        jobs.heartbeat(self._engine, self._name)
        now = time.time()
        if now - self._heard > self._settings.silent_seconds / 2:
            self._trusts_others_until = now + self._settings.silent_seconds
        self._heard = now

    def _rescue(self) -> None:
        """Give the cases of dead workers back to the queue."""
        now = time.time()
        jobs.rescue(
            self._engine, None if now < self._trusts_others_until else now - self._settings.silent_seconds
        )

    def _judge_cases(self) -> None:
        while not self._stopping.is_set():
            try:
                case = self._persist(lambda: jobs.take(self._engine, self._name))
                if case is None:
                    self._stopping.wait(self._settings.poll_seconds)
                else:
                    self._judge_case(case)
            except Exception as error:
                if not self._stopping.is_set():
                    _LOG.error("worker: a case could not be handled", exc_info=error)
                self._stopping.wait(self._settings.poll_seconds)

    def _judge_case(self, case: Case) -> None:
        """Try until the case has ended, the tries are used up, or it is another's."""
        held: Case | None = case
        while held is not None:
            if held.tries > self._settings.tries:
                self._give_up(held)
                return
            self._busy = (held, time.monotonic())
            try:
                ended = attempt(self._engine, self._folders, self._judge, held, self._persist)
            finally:
                self._busy = None
            if ended:
                self._audit.write("service", "case.finish", held.id, attempt=held.attempts)
                return
            held = self._persist(functools.partial(cases.begin_again, self._engine, held))

    def _persist(self, act: Callable[[], T]) -> T:
        """Do it again while database or disk fail; the time that a case waits for them is none of its own."""

        def timed() -> T:
            if self._busy is not None:
                self._busy = (self._busy[0], time.monotonic())
            return act()

        return keep_trying(timed, self._stopping)

    def _give_up(self, case: Case) -> None:
        died = "each time the worker ended before it could say why"
        error = f"gave up after {case.tries - 1} tries; {case.error or died}"
        if self._persist(lambda: cases.end(self._engine, case, "failed", error=error)):
            self._audit.write("service", "case.fail", case.id, attempt=case.attempts)

    def _end_overdue_case(self) -> None:
        busy = self._busy
        if busy is None or time.monotonic() - busy[1] < self._settings.case_seconds:
            return
        error = f"took longer than {self._settings.case_seconds:g} s and was ended"
        if cases.end(self._engine, busy[0], "failed", error=error):
            self._audit.write("service", "case.overdue", busy[0].id)
        os._exit(1)

    def _sweep(self) -> None:
        if time.monotonic() - self._swept >= SWEEP_SECONDS:
            self._swept = time.monotonic()
            sweep(self._engine, self._folders, self._settings.retention, self._audit)

    def _leave(self, judging: threading.Thread) -> None:
        """Finish the present case if it is soon done; an unfinished one is given back at once."""
        judging.join(STOP_SECONDS if self._busy is not None else 0.0)
        try:
            jobs.release(self._engine, self._name, excused=True)
        except Exception as error:  # it is missed later
            _LOG.warning("worker: can't say good-bye: %s", cause_of(error))
        os._exit(0)  # a thread that is still judging must not hold the process
