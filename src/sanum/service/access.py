"""Access control: tokens, hosts, origins, rates; and the headers that every answer carries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from apiflask import APIFlask, HTTPTokenAuth
from apiflask.exceptions import HTTPError
from flask import Response, request
from sqlalchemy.engine import Engine
from werkzeug.datastructures import Authorization

from sanum.service.audit import AuditLog
from sanum.service.problems import RequestError, answer
from sanum.service.throttle import Throttle
from sanum.service.tokens import LOCAL, Principal, any_token, principal_of

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self' data: blob:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""For the viewer. NiiVue needs `data:` for its built-in font, and neither WebAssembly nor workers."""

SEALED_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""For everything that is no page."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
READING = ("GET", "HEAD", "OPTIONS")

F = TypeVar("F", bound=Callable[..., Any])


class _TokenAuth(HTTPTokenAuth):
    """Asks `verify` also about requests without a token: on loopback they may be the machine's own user."""

    def __init__(self, verify: Callable[[str], Principal | None]) -> None:
        super().__init__(scheme="Bearer", description="A token that `sanum token make` printed.")
        self._verify = verify

    def authenticate(self, auth: Authorization | None, stored_password: str | None) -> Principal | None:
        """Who asks, or None."""
        del stored_password
        return self._verify(auth.token or "" if auth is not None else "")


class AccessControl:
    """Tokens, rates, origin checks and headers of one application.

    Args:
        engine: with the table of tokens.
        audit: told about refused tokens.
        throttle: asked once a request.
        loopback: the service listens on this machine only: then it is open while no token exists.
    """

    def __init__(self, engine: Engine, audit: AuditLog, throttle: Throttle, *, loopback: bool) -> None:
        self._engine = engine
        self._audit = audit
        self._throttle = throttle
        self._loopback = loopback
        self._auth = _TokenAuth(self._verify)
        self._auth.get_user_roles(lambda principal: sorted(principal.scopes))
        self._auth.error_processor(_refuse)

    def install(self, app: APIFlask) -> None:
        """Put them before and after every request."""
        app.before_request(_check_origin)
        app.after_request(_add_headers)

    def requires(self, app: APIFlask, scope: str) -> Callable[[F], F]:
        """A decorator for a route: only tokens with this scope may use it."""
        required: Callable[[F], F] = app.auth_required(self._auth, roles=[scope])
        return required

    def principal(self) -> Principal:
        """Who asks, within a route that `requires` a scope."""
        principal = self._auth.current_user
        assert isinstance(principal, Principal)
        return principal

    def _verify(self, secret: str) -> Principal | None:
        principal = principal_of(self._engine, secret) if secret else None
        if principal is None and not secret and self._loopback and not any_token(self._engine):
            principal = LOCAL
        _slow_down(
            self._throttle, principal.name if principal is not None else f"address {request.remote_addr}"
        )
        if principal is None and secret:
            self._audit.write("unknown", "token.refused", address=request.remote_addr or "")
        return principal


def _refuse(error: HTTPError) -> Response:
    if error.status_code == 401:
        return answer(
            RequestError(401, "no-token", "Send `Authorization: Bearer <token>` with a token that is valid.")
        )
    return answer(RequestError(403, "scope", "This token may not do that; its scopes don't cover it."))


def _slow_down(throttle: Throttle, name: str) -> None:
    seconds = throttle.wait_seconds(name)
    if seconds > 0:
        raise RequestError(429, "too-many-requests", "Too many requests; slow down.", retry_after=seconds)


def _check_origin() -> None:
    """A page of another site may not make a person's browser send or delete anything here."""
    origin = request.headers.get("Origin")
    if request.method in READING or origin is None:
        return
    if urlsplit(origin).netloc != request.host:
        raise RequestError(403, "foreign-origin", "Requests from pages of another site are not answered.")


def _add_headers(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", SEALED_POLICY)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    return response
