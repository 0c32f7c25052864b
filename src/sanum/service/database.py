"""The service's tables: cases, tokens, verdicts, workers. SQLite by default, PostgreSQL by a URL, one code for both."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from sanum.core.errors import ConfigError, StorageError
from sanum.service.faults import cause_of

BUSY_MS = 10_000
"""How long a SQLite writer waits for another one."""

CONNECT_SECONDS = 5

_POSTGRES = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,  # milliseconds
}
"""A host that is switched off answers nothing at all: a connection to it ends after a while."""

tables = sa.MetaData()

cases = sa.Table(
    "cases",
    tables,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("updated", sa.Float, nullable=False),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("stage", sa.String(24), nullable=False, default=""),
    sa.Column("label", sa.String(120), nullable=False, default=""),
    sa.Column("model", sa.String(200), nullable=False),
    sa.Column("submitter", sa.String(120), nullable=False),
    sa.Column("files", sa.JSON, nullable=False),
    sa.Column("content_sha256", sa.String(64), nullable=False),
    sa.Column("idempotency_key", sa.String(200)),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("error", sa.Text, nullable=False, default=""),
    sa.Column("finished", sa.Float),
    sa.Column("decision", sa.String(12)),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("score", sa.Float),
    sa.Column("threshold", sa.Float),
    sa.Column("p_value", sa.Float),
    sa.Column("inputs_kept", sa.Boolean, nullable=False, default=True),
    sa.Column("worker", sa.String(64)),
    sa.Column("excused", sa.Integer),
    sa.Column("study", sa.String(32)),
    sa.Column("warnings", sa.JSON),
    sa.UniqueConstraint("submitter", "idempotency_key"),
    sa.Index("cases_by_age", "created", "id"),
    sa.Index("cases_by_status", "status"),
)

tokens = sa.Table(
    "tokens",
    tables,
    sa.Column("name", sa.String(120), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("revoked", sa.Float),
)

verdicts = sa.Table(
    "verdicts",
    tables,
    sa.Column("case", sa.String(32), primary_key=True),
    sa.Column("finding", sa.Integer, primary_key=True),
    sa.Column("reader", sa.String(120), primary_key=True),
    sa.Column("verdict", sa.String(12), nullable=False),
    sa.Column("given", sa.Float, nullable=False),
)

workers = sa.Table(
    "workers",
    tables,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("seen", sa.Float, nullable=False),
)


def default_url(data: Path) -> str:
    """The embedded database of a data folder."""
    return f"sqlite:///{data.resolve() / 'service.sqlite'}"


def open_database(url: str) -> Engine:
    """Connect, and make the tables where they are missing.

    Args:
        url: `sqlite:///…` or `postgresql://user:password@host/name`.

    Raises:
        ConfigError: neither SQLite nor PostgreSQL.
        StorageError: the database does not answer or can't be written.
    """
    engine = database_engine(url)
    try:
        tables.create_all(engine)
        _add_missing_columns(engine)
    except (sa.exc.SQLAlchemyError, OSError) as error:
        shown = sa.make_url(url).render_as_string(hide_password=True)
        raise StorageError(
            f"database {shown}: {cause_of(error)}; check the URL and that it can be written"
        ) from error
    return engine


def database_engine(url: str) -> Engine:
    """The database without asking it anything: it may be away.

    Args:
        url: as for `open_database`, which has made its tables.

    Raises:
        ConfigError: neither SQLite nor PostgreSQL.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise ConfigError("database: expected sqlite:///PATH or postgresql://USER@HOST/NAME") from error
    if parsed.get_backend_name() == "postgresql":
        return sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            connect_args=_POSTGRES,
            hide_parameters=True,  # a label may name a patient, and errors are logged
            pool_pre_ping=True,
            pool_timeout=CONNECT_SECONDS,
        )
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise ConfigError(f"database: {parsed.drivername} is neither a SQLite file nor PostgreSQL")
    engine = sa.create_engine(parsed, hide_parameters=True, pool_timeout=CONNECT_SECONDS)
    path = Path(parsed.database)
    sa.event.listen(engine, "do_connect", lambda *_: _make_private(path))
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _make_private(path: Path) -> None:
    """Nobody else may read what the database holds, whatever the umask; SQLite gives its other files the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(OSError):
            path.with_name(path.name + suffix).chmod(0o600)


def _add_missing_columns(engine: Engine) -> None:
    """A database of an earlier version lacks the columns that came later; all of them may be empty."""
    for column in _missing_columns(engine):
        kind = column.type.compile(engine.dialect)
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql(f"ALTER TABLE {cases.name} ADD COLUMN {column.name} {kind}")
        except sa.exc.DBAPIError:
            if column in _missing_columns(engine):  # otherwise another process was quicker
                raise


def _missing_columns(engine: Engine) -> list[sa.Column[Any]]:
    there = {column["name"] for column in sa.inspect(engine).get_columns(cases.name)}
    return [column for column in cases.columns if column.name not in there]


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Writers queue up instead of failing, readers never wait, and a commit survives a power cut."""
    connection.isolation_level = "IMMEDIATE"
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
