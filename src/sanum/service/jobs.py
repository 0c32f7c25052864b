"""The durable queue: a case that waits is a job, so that the two can't disagree (decision 0018).

A worker that takes a case writes its name into it. A running case whose worker is not in the table of workers goes
back to the queue; the number of the attempt fences off what an earlier holder may still write.
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError

from sanum.service import cases
from sanum.service.cases import Case, Submission
from sanum.service.database import cases as table
from sanum.service.database import workers

RETRY_SECONDS = 30
"""What a client is told to wait when the queue is full."""


class QueueFullError(Exception):
    """As many cases wait as the operator allows."""


class JobQueue:
    """Puts cases into the queue.

    Args:
        engine: the service's database.
        limit: most cases that may wait or run.
    """

    def __init__(self, engine: Engine, limit: int) -> None:
        self._engine = engine
        self._limit = limit

    def submit(self, submission: Submission) -> tuple[Case, bool]:
        """Accept a case whose files are safely on disk.

        Returns:
            The case, and whether it is new: an idempotency key that was used before gives the earlier case.

        Raises:
            QueueFullError: try again later.
        """
        repeated = self._repeat(submission)
        if repeated is not None:
            return repeated, False
        if cases.count_unfinished(self._engine) >= self._limit:
            raise QueueFullError
        try:
            with self._engine.begin() as connection:
                return cases.insert(connection, submission), True
        except IntegrityError:
            repeated = self._repeat(submission)
            if repeated is None:
                raise
            return repeated, False

    def _repeat(self, submission: Submission) -> Case | None:
        if submission.idempotency_key is None:
            return None
        return cases.find_repeat(self._engine, submission.submitter, submission.idempotency_key)


def take(engine: Engine, worker: str) -> Case | None:
    """Start an attempt at the oldest case that waits, or that this worker holds without knowing it: a connection
    may break after the database has kept the change and before the worker is told.

    Args:
        engine: the service's database.
        worker: name of one that has no case now; before its first heartbeat it gets none.

    Returns:
        The case as it now is; None where none waits.
    """
    unheld = sa.or_(
        table.c.status == "queued", sa.and_(table.c.status == "running", table.c.worker == worker)
    )
    due = sa.and_(unheld, sa.exists().where(workers.c.id == worker))
    oldest = sa.select(table.c.id).where(due).order_by(table.c.created, table.c.id).limit(1)
    with engine.connect() as connection:
        if connection.scalar(oldest) is None:
            return None
    with engine.begin() as connection:
        chosen = oldest.with_for_update(skip_locked=True).scalar_subquery()
        return cases.start(connection, sa.and_(table.c.id == chosen, due), worker)


def heartbeat(engine: Engine, worker: str) -> None:
    """Say that a worker lives."""
    with engine.begin() as connection:
        now = time.time()
        known = connection.execute(workers.update().where(workers.c.id == worker).values(seen=now))
        if known.rowcount == 0:
            connection.execute(workers.insert().values(id=worker, seen=now))


def release(engine: Engine, worker: str, *, excused: bool) -> None:
    """Strike a worker that has ended off the table; its case need not wait until it is missed.

    Args:
        engine: the service's database.
        worker: its name.
        excused: it was ended from outside, so the attempt at its case does not count.
    """
    with engine.begin() as connection:
        if excused:
            connection.execute(
                table.update()
                .where(table.c.status == "running", table.c.worker == worker)
                .values(excused=sa.func.coalesce(table.c.excused, 0) + 1)
            )
        connection.execute(workers.delete().where(workers.c.id == worker))
        _requeue(connection)


def rescue(engine: Engine, silent_since: float | None) -> None:
    """Give cases that no worker holds back to the queue.

    Args:
        engine: the service's database.
        silent_since: workers not seen since then are dead; None for nobody.
    """
    with engine.begin() as connection:
        if silent_since is not None:
            connection.execute(workers.delete().where(workers.c.seen < silent_since))
        _requeue(connection)


def _requeue(connection: Connection) -> None:
    unheld = sa.or_(table.c.worker.is_(None), table.c.worker.not_in(sa.select(workers.c.id)))
    connection.execute(
        table.update()
        .where(table.c.status == "running", unheld)
        .values(status="queued", stage="", worker=None, updated=time.time())
    )
