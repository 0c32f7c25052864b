"""The service's tables: cases, tokens, workers. SQLite by default, PostgreSQL by a URL, one code for both.

The job queue keeps its own tables in the same database, so that a case and its job appear in one transaction.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from sanum.core.errors import ConfigError, StorageError

BUSY_MS = 30_000
"""How long a SQLite writer waits for another one."""

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
    engine = _engine(url)
    try:
        tables.create_all(engine)
    except sa.exc.SQLAlchemyError as error:
        shown = sa.make_url(url).render_as_string(hide_password=True)
        raise StorageError(
            f"database {shown}: {_cause(error)}; check the URL and that it can be written"
        ) from error
    return engine


def _engine(url: str) -> Engine:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise ConfigError("database: expected sqlite:///PATH or postgresql://USER@HOST/NAME") from error
    if parsed.get_backend_name() == "postgresql":
        return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise ConfigError(f"database: {parsed.drivername} is neither a SQLite file nor PostgreSQL")
    Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Writers queue up instead of failing, readers never wait, and a commit survives a power cut."""
    connection.isolation_level = "IMMEDIATE"
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _cause(error: sa.exc.SQLAlchemyError) -> str:
    original = getattr(error, "orig", None)
    return str(original or error).splitlines()[0]
