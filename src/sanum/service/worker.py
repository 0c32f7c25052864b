"""A worker process: takes cases from the queue, one at a time, and judges them.

Each worker has a name of its own that it keeps alive in the table of workers. When a name falls silent, any other
worker gives its cases back to the queue. So it makes no difference on which host a worker died.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from dbos import DBOS
from sqlalchemy.engine import Engine

from sanum.service import cases, jobs
from sanum.service.audit import AuditLog
from sanum.service.case_folder import CaseFolders
from sanum.service.case_judge import Judge, attempt
from sanum.service.cases import Case
from sanum.service.database import workers
from sanum.service.retention import Retention, sweep

STOP_SECONDS = 20
"""How long a worker that is asked to stop may finish its case; the case goes back to the queue otherwise."""

SWEEP_SECONDS = 60.0


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker works.

    Attributes:
        tries: attempts at one case before it fails for good.
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
        engine: the service's database, migrated.
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
        self._swept = 0.0

    def run(self) -> None:
        """Work until asked to stop (SIGTERM, SIGINT), or until this worker must be replaced."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        self._judge.warm()
        self._heartbeat()
        self._launch()
        try:
            while not self._stopping.wait(min(1.0, self._settings.silent_seconds / 4)):
                self._heartbeat()
                self._end_overdue_case()
                self._rescue()
                self._sweep()
        finally:
            self._leave()

    def judge_case(self, name: str) -> None:
        """The job: try until the case has ended or the tries are used up."""
        while (case := cases.begin(self._engine, name)) is not None:
            if case.attempts > self._settings.tries:
                self._give_up(case)
                return
            with self._at(case):
                if attempt(self._engine, self._folders, self._judge, case):
                    self._audit.write("service", "case.finish", name, attempt=case.attempts)
                    return

    def _launch(self) -> None:
        DBOS(
            config={
                "name": jobs.APPLICATION,
                "system_database_engine": self._engine,
                "executor_id": self._name,
                "application_version": jobs.JOB_FORMAT,
                "log_level": "WARNING",
                "notification_listener_polling_interval_sec": 5.0,
            }
        )

        @DBOS.workflow(name=jobs.WORKFLOW)
        def judge_case(name: str) -> None:
            self.judge_case(name)

        DBOS.launch()
        DBOS.register_queue(
            jobs.QUEUE, worker_concurrency=1, polling_interval_sec=self._settings.poll_seconds
        )

    def _heartbeat(self) -> None:
        """Say that this worker lives; one that was taken for dead meanwhile ends itself."""
        with self._engine.begin() as connection:
            now = time.time()
            known = connection.execute(workers.update().where(workers.c.id == self._name).values(seen=now))
            if known.rowcount == 0:
                if self._swept > 0.0:
                    os._exit(1)
                connection.execute(workers.insert().values(id=self._name, seen=now))

    def _rescue(self) -> None:
        """Give the cases of dead workers back to the queue."""
        with self._engine.begin() as connection:
            limit = time.time() - self._settings.silent_seconds
            dead = list(connection.scalars(sa.select(workers.c.id).where(workers.c.seen < limit)))
        for name in dead:
            held = DBOS.list_workflows(
                executor_id=name, status="PENDING", name=jobs.WORKFLOW, load_input=False, load_output=False
            )
            if held:
                DBOS.resume_workflows([job.workflow_id for job in held], queue_name=jobs.QUEUE)
            with self._engine.begin() as connection:
                connection.execute(workers.delete().where(workers.c.id == name))

    def _give_up(self, case: Case) -> None:
        died = "each time the worker ended before it could say why"
        cases.end(
            self._engine,
            case,
            "failed",
            error=f"gave up after {case.attempts - 1} tries; {case.error or died}",
        )
        self._audit.write("service", "case.fail", case.id, attempt=case.attempts)

    @contextlib.contextmanager
    def _at(self, case: Case) -> Iterator[None]:
        self._busy = (case, time.monotonic())
        try:
            yield
        finally:
            self._busy = None

    def _end_overdue_case(self) -> None:
        busy = self._busy
        if busy is None or time.monotonic() - busy[1] < self._settings.case_seconds:
            return
        cases.end(
            self._engine,
            busy[0],
            "failed",
            error=f"took longer than {self._settings.case_seconds:g} s and was ended",
        )
        self._audit.write("service", "case.overdue", busy[0].id)
        os._exit(1)

    def _sweep(self) -> None:
        if time.monotonic() - self._swept >= SWEEP_SECONDS or self._swept == 0.0:
            self._swept = time.monotonic()
            sweep(self._engine, self._folders, self._settings.retention, self._audit)

    def _leave(self) -> None:
        """Finish the present case if it is soon done, and say good-bye; an unfinished one is given back at once."""
        DBOS.destroy(workflow_completion_timeout_sec=STOP_SECONDS if self._busy is not None else 0)
        mark_gone(self._engine, self._name)
        os._exit(0)  # a thread that is still judging must not hold the process


def mark_gone(engine: Engine, name: str) -> None:
    """Note that a worker is gone, so that its case need not wait until it is missed."""
    with engine.begin() as connection:
        connection.execute(workers.update().where(workers.c.id == name).values(seen=0.0))
