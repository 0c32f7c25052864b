"""The durable queue, seen from the web server: a case and its job appear in one transaction, or not at all.

DBOS keeps the queue in the service's own database. Workers (`worker.py`) take jobs from it.
"""

from __future__ import annotations

from dbos import DBOS, DBOSClient
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from sanum.service import cases
from sanum.service.cases import Case, Submission

APPLICATION = "sanum"
QUEUE = "cases"
WORKFLOW = "judge_case"

JOB_FORMAT = "1"
"""Workers take jobs of this format only. It does not change with the program's version, so that cases accepted
before an update are judged after it."""

RETRY_SECONDS = 30
"""What a client is told to wait when the queue is full."""


class QueueFullError(Exception):
    """As many cases wait as the operator allows."""


def migrate(engine: Engine) -> None:
    """Bring the queue's tables to the form that the installed DBOS needs; several processes may try at once."""
    DBOS.migrate(engine.url.render_as_string(hide_password=False))


class JobQueue:
    """Puts cases into the queue.

    Args:
        engine: the service's database, migrated.
        limit: most cases that may wait or run.
    """

    def __init__(self, engine: Engine, limit: int) -> None:
        self._engine = engine
        self._limit = limit
        self._client = DBOSClient(system_database_engine=engine, application_name=APPLICATION)

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
                case = cases.insert(connection, submission)
                self._client.enqueue_in_transaction(
                    connection,
                    {
                        "workflow_name": WORKFLOW,
                        "queue_name": QUEUE,
                        "workflow_id": case.id,
                        "app_version": JOB_FORMAT,
                    },
                    case.id,
                )
            return case, True
        except IntegrityError:
            repeated = self._repeat(submission)
            if repeated is None:
                raise
            return repeated, False

    def withdraw(self, case: str) -> None:
        """Forget the job of a deleted case; a worker that is at it finds no case to write to."""
        self._client.cancel_workflow(case)

    def close(self) -> None:
        """Give back the connections."""
        self._client.destroy()

    def _repeat(self, submission: Submission) -> Case | None:
        if submission.idempotency_key is None:
            return None
        return cases.find_repeat(self._engine, submission.submitter, submission.idempotency_key)
