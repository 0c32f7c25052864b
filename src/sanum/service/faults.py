"""Faults of what the service stands on, a database that does not answer or a disk without room: they pass, and nothing
accepted is lost by waiting for it."""

from __future__ import annotations

import errno
import itertools
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import TypeVar

import psycopg
import sqlalchemy as sa

T = TypeVar("T")

_LOG = logging.getLogger("sanum.service")

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

_SQLITE_PASSING = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
)

PAUSES = (0.2, 0.5, 1.0, 2.0)
"""Seconds between tries; the last one repeats, so that work goes on soon after the fault's end."""


class Fault(StrEnum):
    """What does not work; the value completes a sentence."""

    DATABASE = "the database does not answer"
    DISK = "the disk is full"


def fault_of(error: BaseException | None) -> Fault | None:
    """The passing fault behind an error, or None where it is of another kind: trying again would not help."""
    while error is not None:
        fault = _own_fault(error)
        if fault is not None:
            return fault
        error = error.__cause__ or error.__context__
    return None


def cause_of(error: BaseException) -> str:
    """The driver's words, without the statement and its parameters, which may name a patient."""
    original = getattr(error, "orig", None) or error
    return next(iter(str(original).splitlines()), type(original).__name__)


def keep_trying(act: Callable[[], T], stopping: threading.Event) -> T:
    """Do something that needs database or disk; wait while one of them fails, and do it again.

    Args:
        act: done until it succeeds; may be done again after it had half succeeded.
        stopping: once it is set, a fault is raised.
    """
    began: float | None = None
    for pause in _pauses():
        try:
            done = act()
        except Exception as error:
            fault = fault_of(error)
            if fault is None or stopping.is_set():
                raise
            if began is None:
                began = time.monotonic()
                _LOG.warning("%s (%s); waiting for it", fault, cause_of(error))
            stopping.wait(pause)
            continue
        if began is not None:
            _LOG.warning("going on after %.0f s", time.monotonic() - began)
        return done
    raise AssertionError("the pauses never end")


def _pauses() -> Iterator[float]:
    return itertools.chain(PAUSES, itertools.repeat(PAUSES[-1]))


def _own_fault(error: BaseException) -> Fault | None:
    if isinstance(error, sqlite3.OperationalError):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return Fault.DISK
        return Fault.DATABASE if code in _SQLITE_PASSING else None
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return Fault.DISK
    if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
        return Fault.DATABASE
    passing = (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.errors.ReadOnlySqlTransaction,
        sa.exc.TimeoutError,
    )
    return Fault.DATABASE if isinstance(error, passing) else None
