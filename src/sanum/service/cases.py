"""What the service knows about a case, and the only statements that change it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from sanum.core.errors import ConfigError
from sanum.service.database import cases, verdicts

State = Literal["queued", "running", "done", "failed"]
STATES: tuple[State, ...] = ("queued", "running", "done", "failed")
BRAIN = "brain"
"""Key of the brain mask among the files of a case; the others are modalities."""

AS_CALLED = "as_called"
"""Key that stands among the files of a case where its sender vouches for what they are called."""

UNFINISHED = ("queued", "running")


@dataclass(frozen=True)
class Case:
    """One accepted case.

    Attributes:
        id: random, 32 hexadecimal digits; the only name that a client can use.
        created: seconds since 1970.
        updated: of the last change.
        status: where its job stands; "done" has a decision, "failed" an error.
        stage: what a running job is at.
        label: what the client calls it; shown to people, never logged.
        model: name of the model that judges it.
        submitter: name of the token that sent it.
        files: modality, or `BRAIN`, to the name of its file in the case's folder; after `#` the series that is
            meant; and `AS_CALLED` to "yes" where that was sent.
        content_sha256: of all that was sent, for idempotency.
        idempotency_key: the client's, or None.
        attempts: how often a worker has begun it.
        error: of the last attempt that failed.
        finished: when it ended; None before.
        decision: "normal", "abnormal" or "refused"; None before it is done.
        reason: why it was refused.
        score, threshold, p_value: of the decision.
        inputs_kept: False once retention has deleted what was sent.
        worker: name of the one that is at it.
        warnings: what speaks against the decision, in words; None before it is done.
        excused: attempts that ended through no fault of the case, such as a worker stopped by its operator.
        study: `study_key` of the DICOM study it came from; None where that is not known.
    """

    id: str
    created: float
    updated: float
    status: State
    stage: str
    label: str
    model: str
    submitter: str
    files: dict[str, str]
    content_sha256: str
    idempotency_key: str | None
    attempts: int
    error: str
    finished: float | None
    decision: str | None
    reason: str
    score: float | None
    threshold: float | None
    p_value: float | None
    inputs_kept: bool
    worker: str | None = None
    excused: int | None = None
    study: str | None = None
    warnings: list[str] | None = None

    @property
    def tries(self) -> int:
        """Attempts that count."""
        return self.attempts - (self.excused or 0)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status not in UNFINISHED


@dataclass(frozen=True)
class CaseFilter:
    """Which cases a listing shows: None for any; `submitters` are the tokens that sent them, `study` is a `study_key`."""

    status: str | None = None
    decision: str | None = None
    model: str | None = None
    submitters: frozenset[str] | None = None
    study: str | None = None


@dataclass(frozen=True)
class Page:
    """A part of a listing, newest first, and where the next one starts (None at the end)."""

    cases: tuple[Case, ...]
    after: str | None


@dataclass(frozen=True)
class Submission:
    """What a client asks for, once its files lie on disk."""

    model: str
    submitter: str
    files: Mapping[str, str]
    content_sha256: str
    label: str = ""
    idempotency_key: str | None = None
    study: str | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


def study_key(uid: str) -> str:
    """What stands for a StudyInstanceUID, which may lead to a patient."""
    return hashlib.sha256(uid.encode()).hexdigest()[:32]


def insert(connection: Connection, submission: Submission) -> Case:
    """Keep a new case: it waits for a worker from then on."""
    now = time.time()
    connection.execute(
        cases.insert().values(
            id=submission.id,
            created=now,
            updated=now,
            status="queued",
            label=submission.label,
            model=submission.model,
            submitter=submission.submitter,
            files=dict(submission.files),
            content_sha256=submission.content_sha256,
            idempotency_key=submission.idempotency_key,
            study=submission.study,
        )
    )
    found = _one(connection, cases.c.id == submission.id)
    assert found is not None
    return found


def get(engine: Engine, case: str) -> Case | None:
    """The case, or None where there is none (any more)."""
    with engine.connect() as connection:
        return _one(connection, cases.c.id == case)


def find_repeat(engine: Engine, submitter: str, key: str) -> Case | None:
    """The case that this submitter sent before under the same idempotency key."""
    with engine.connect() as connection:
        return _one(connection, sa.and_(cases.c.submitter == submitter, cases.c.idempotency_key == key))


def count_unfinished(engine: Engine) -> int:
    """Cases that wait or run."""
    with engine.connect() as connection:
        return int(connection.scalar(sa.select(sa.func.count()).where(cases.c.status.in_(UNFINISHED))) or 0)


def count_by_status(engine: Engine) -> dict[str, int]:
    """How many cases stand where; every status has an entry."""
    query = sa.select(cases.c.status, sa.func.count()).group_by(cases.c.status)
    with engine.connect() as connection:
        counted = {status: int(count) for status, count in connection.execute(query)}
    return {status: counted.get(status, 0) for status in STATES}


def list_page(engine: Engine, wanted: CaseFilter, *, limit: int, after: str | None = None) -> Page:
    """A page of cases, newest first.

    Raises:
        ConfigError: `after` is no place that an earlier page named.
    """
    query = sa.select(cases).order_by(cases.c.created.desc(), cases.c.id.desc()).limit(limit + 1)
    for column, value in (
        (cases.c.status, wanted.status),
        (cases.c.decision, wanted.decision),
        (cases.c.model, wanted.model),
        (cases.c.study, wanted.study),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.submitters is not None:
        query = query.where(cases.c.submitter.in_(sorted(wanted.submitters)))
    if after is not None:
        created, case = _place(after)
        query = query.where(
            sa.or_(cases.c.created < created, sa.and_(cases.c.created == created, cases.c.id < case))
        )
    with engine.connect() as connection:
        found = [_case(row) for row in connection.execute(query)]
    more = len(found) > limit
    return Page(tuple(found[:limit]), _cursor(found[limit - 1]) if more else None)


def begin(engine: Engine, case: str) -> Case | None:
    """Start an attempt at a case that waits.

    Returns:
        The case as it now is; None where it was deleted or has ended.
    """
    with engine.begin() as connection:
        return start(connection, sa.and_(cases.c.id == case, cases.c.status.in_(UNFINISHED)), None)


def begin_again(engine: Engine, case: Case) -> Case | None:
    """Start the next attempt of a case that its worker still holds; None where it does no longer."""
    with engine.begin() as connection:
        return start(connection, _held(case), case.worker)


def start(connection: Connection, which: sa.ColumnElement[bool], worker: str | None) -> Case | None:
    """Start an attempt at the one case that is meant. Its number is the fence: only the latest attempt may write.

    Returns:
        The case as it now is; None where there is none such.
    """
    row = connection.execute(
        cases.update()
        .where(which)
        .values(
            status="running",
            stage="starting",
            attempts=cases.c.attempts + 1,
            worker=worker,
            updated=time.time(),
        )
        .returning(*cases.c)
    ).one_or_none()
    return None if row is None else _case(row)


def note(engine: Engine, case: Case, **values: Any) -> bool:
    """Change a running case, unless another attempt took over or it was deleted.

    Returns:
        Whether the attempt still owns the case and the change is kept.
    """
    with engine.begin() as connection:
        changed = connection.execute(cases.update().where(_held(case)).values(**values, updated=time.time()))
    return changed.rowcount == 1


def end(engine: Engine, case: Case, status: Literal["done", "failed"], **values: Any) -> bool:
    """End a case, once; the same fence as `note`.

    Returns:
        Whether this attempt is the one that ended it, also where it did so before and was not told: a connection may
        break after the database has kept the change.
    """
    if note(engine, case, status=status, stage="", worker=None, finished=time.time(), **values):
        return True
    now = get(engine, case.id)
    return now is not None and (now.attempts, now.status) == (case.attempts, status)


def delete(engine: Engine, case: str) -> bool:
    """Forget a case and what readers said of it; whether there was one."""
    with engine.begin() as connection:
        connection.execute(verdicts.delete().where(verdicts.c.case == case))
        return connection.execute(cases.delete().where(cases.c.id == case)).rowcount == 1


def ended_before(engine: Engine, moment: float, *, inputs_kept: bool | None = None) -> Sequence[str]:
    """Cases that ended before a moment, oldest first; for retention."""
    query = sa.select(cases.c.id).where(cases.c.finished < moment).order_by(cases.c.finished)
    if inputs_kept is not None:
        query = query.where(cases.c.inputs_kept == inputs_kept)
    with engine.connect() as connection:
        return connection.scalars(query).all()


def forget_inputs(engine: Engine, case: str) -> None:
    """Note that the inputs are gone."""
    with engine.begin() as connection:
        connection.execute(cases.update().where(cases.c.id == case).values(inputs_kept=False))


def known(engine: Engine, among: Sequence[str]) -> set[str]:
    """Those of the given names that are cases."""
    with engine.connect() as connection:
        return set(connection.scalars(sa.select(cases.c.id).where(cases.c.id.in_(among))))


def _held(case: Case) -> sa.ColumnElement[bool]:
    return sa.and_(cases.c.id == case.id, cases.c.attempts == case.attempts, cases.c.status == "running")


def _one(connection: Connection, condition: sa.ColumnElement[bool]) -> Case | None:
    row = connection.execute(sa.select(cases).where(condition)).one_or_none()
    return None if row is None else _case(row)


def _case(row: sa.Row[Any]) -> Case:
    return Case(**row._mapping)


def _cursor(case: Case) -> str:
    return base64.urlsafe_b64encode(f"{case.created!r} {case.id}".encode()).decode()


def _place(cursor: str) -> tuple[float, str]:
    try:
        created, case = base64.urlsafe_b64decode(cursor.encode()).decode().split(" ")
        return float(created), case
    except (ValueError, binascii.Error) as error:
        raise ConfigError("after: expected the place that an earlier page of the list named") from error
