"""API tokens: shown once, kept as hashes, each with scopes and a name that the audit log uses."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from sanum.core.config import did_you_mean
from sanum.core.errors import ConfigError
from sanum.service.database import tokens

SCOPES = ("submit", "read", "admin")
"""`submit` sends cases and predictions and sees the cases it sent, `read` sees every case of the service and its
figures, `read:NAME` the cases that token NAME sent, `admin` does all and deletes."""

SEE = "see"
"""What every scope implies, of the cases that the token may see."""

BOUND = "read:"

IMPLIED = {"submit": {"submit", SEE}, "read": {"read", SEE}, "admin": {*SCOPES, SEE}}

PREFIX = "sanum_"
"""Lets scanners for leaked secrets recognise a token."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True)
class Principal:
    """Who asks.

    Attributes:
        name: of the token.
        scopes: what it may do.
        submitters: tokens whose cases it may see; None for any.
    """

    name: str
    scopes: frozenset[str]
    submitters: frozenset[str] | None = None

    def may_see(self, submitter: str) -> bool:
        """Whether the cases that a token sent are shown to this one."""
        return self.submitters is None or submitter in self.submitters


LOCAL = Principal("local", frozenset(IMPLIED["admin"]))
"""Whoever asks over loopback while no token exists: the machine's own user."""


@dataclass(frozen=True)
class Token:
    """What is kept of a token; times in seconds since 1970."""

    name: str
    scopes: tuple[str, ...]
    created: float
    revoked: float | None


def make_token(engine: Engine, name: str, scopes: Sequence[str]) -> str:
    """Make a token and return its secret, which is kept nowhere.

    256 random bits need no slow hash: nobody can try them all.

    Raises:
        ConfigError: a name that is taken or no name, an unknown scope, or one bound to a token that does not exist.
    """
    if _NAME.fullmatch(name) is None or name == LOCAL.name:
        raise ConfigError(
            f"token name {name!r}: expected up to 80 letters, digits, '.', '_', '-', and not 'local'"
        )
    if not scopes:
        raise ConfigError(f"token {name}: no scope; expected some of {', '.join(SCOPES)}")
    for scope in scopes:
        if scope.startswith(BOUND):
            _check_bound(engine, name, scope.removeprefix(BOUND))
        elif scope not in SCOPES:
            raise ConfigError(f"token {name}: unknown scope {scope!r}; {did_you_mean(scope, SCOPES)}")
    secret = PREFIX + secrets.token_urlsafe(32)
    kept = {
        "name": name,
        "sha256": _hash(secret),
        "scopes": list(dict.fromkeys(scopes)),
        "created": time.time(),
    }
    try:
        with engine.begin() as connection:
            connection.execute(tokens.insert().values(**kept))
    except sa.exc.IntegrityError as error:
        raise ConfigError(f"token {name}: exists already, perhaps revoked; choose another name") from error
    return secret


def revoke_token(engine: Engine, name: str) -> None:
    """Make a token worthless from now on.

    Raises:
        ConfigError: there is no such token, or it was revoked before.
    """
    with engine.begin() as connection:
        changed = connection.execute(
            tokens.update()
            .where(tokens.c.name == name, tokens.c.revoked.is_(None))
            .values(revoked=time.time())
        )
    if changed.rowcount == 0:
        known = [token.name for token in list_tokens(engine) if token.revoked is None]
        raise ConfigError(f"token {name!r} does not exist or is revoked; {did_you_mean(name, known)}")


def list_tokens(engine: Engine) -> list[Token]:
    """All tokens, oldest first, without secrets."""
    query = sa.select(tokens).order_by(tokens.c.created)
    with engine.connect() as connection:
        return [
            Token(row.name, tuple(row.scopes), row.created, row.revoked) for row in connection.execute(query)
        ]


def any_token(engine: Engine) -> bool:
    """Whether tokens were ever made; revoking the last one does not open the service.

    Asked in every request of a service without tokens, so it goes straight to the database's driver.
    """
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute(f"SELECT name FROM {tokens.name} LIMIT 1")
        return cursor.fetchone() is not None
    finally:
        connection.close()


def principal_of(engine: Engine, secret: str) -> Principal | None:
    """Who holds this secret; None for an unknown or revoked one."""
    query = sa.select(tokens).where(tokens.c.sha256 == _hash(secret), tokens.c.revoked.is_(None))
    with engine.connect() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return _principal(row.name, row.scopes)


def _principal(name: str, scopes: Sequence[str]) -> Principal:
    bound = {scope.removeprefix(BOUND) for scope in scopes if scope.startswith(BOUND)}
    implied = frozenset({SEE}).union(*(IMPLIED[scope] for scope in scopes if not scope.startswith(BOUND)))
    return Principal(name, implied, None if "read" in implied else frozenset({name, *bound}))


def _check_bound(engine: Engine, name: str, submitter: str) -> None:
    known = [LOCAL.name, *(token.name for token in list_tokens(engine))]
    if submitter not in known:
        raise ConfigError(
            f"token {name}: scope {BOUND}{submitter}: there is no token of this name; {did_you_mean(submitter, known)}"
        )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
