"""Which errors pass by themselves, and what waiting for them does."""

from __future__ import annotations

import errno
import logging
import sqlite3
import threading

import psycopg
import pytest
import sqlalchemy as sa

from sanum.core.errors import StorageError
from sanum.service.faults import Fault, cause_of, fault_of, keep_trying


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("told")
    error.sqlite_errorcode = code
    return error


def wrapped(error: Exception) -> sa.exc.DBAPIError:
    """As SQLAlchemy raises it."""
    made = sa.exc.OperationalError("INSERT", {"label": "Jane Doe"}, error, hide_parameters=True)
    made.__cause__ = error
    return made


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (OSError(errno.ENOSPC, "full"), Fault.DISK),
        (OSError(errno.EDQUOT, "full"), Fault.DISK),
        (OSError(errno.EACCES, "no"), None),
        (sqlite_error(sqlite3.SQLITE_FULL), Fault.DISK),
        (sqlite_error(sqlite3.SQLITE_BUSY), Fault.DATABASE),
        (sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT), Fault.DATABASE),
        (sqlite_error(sqlite3.SQLITE_IOERR_WRITE), Fault.DATABASE),
        (sqlite_error(sqlite3.SQLITE_ERROR), None),
        (psycopg.OperationalError("connection refused"), Fault.DATABASE),
        (psycopg.errors.AdminShutdown("terminating"), Fault.DATABASE),
        (psycopg.errors.ReadOnlySqlTransaction("standby"), Fault.DATABASE),
        (psycopg.errors.UndefinedTable("no table"), None),
        (psycopg.DataError("NUL"), None),
        (sa.exc.TimeoutError("pool"), Fault.DATABASE),
        (ValueError("x"), None),
    ],
)
def test_faults_are_told_from_mistakes(error, fault):
    assert fault_of(error) is fault
    assert fault_of(wrapped(error)) is fault
    if fault is not None:
        storage = StorageError("could not be written")
        storage.__cause__ = error
        assert fault_of(storage) is fault


def test_a_cause_holds_no_parameter():
    assert cause_of(wrapped(sqlite_error(sqlite3.SQLITE_BUSY))) == "told"
    assert cause_of(OSError()) == "OSError"
    assert "Jane" not in str(wrapped(ValueError("x")))


def test_work_goes_on_when_the_fault_has_ended_and_says_so_once(caplog):
    failures = [OSError(errno.ENOSPC, "no room")] * 2

    def act() -> str:
        if failures:
            raise failures.pop()
        return "done"

    with caplog.at_level(logging.WARNING):
        assert keep_trying(act, threading.Event()) == "done"
    assert [record.getMessage()[:16] for record in caplog.records] == ["the disk is full", "going on after 1"]


def test_mistakes_and_a_stop_end_the_waiting():
    stopping = threading.Event()

    def mistaken() -> None:
        raise ValueError("x")

    def faulty() -> None:
        stopping.set()
        raise sa.exc.TimeoutError("pool")

    with pytest.raises(ValueError, match="x"):
        keep_trying(mistaken, stopping)
    with pytest.raises(sa.exc.TimeoutError):
        keep_trying(faulty, stopping)
