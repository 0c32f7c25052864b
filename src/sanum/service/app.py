"""The web application: its parts put together."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apiflask import APIFlask
from apiflask.exceptions import HTTPError
from flask import request
from sqlalchemy.engine import Engine

import sanum
from sanum.service import jobs, problems
from sanum.service.access import LOOPBACK, AccessControl
from sanum.service.audit import AuditLog
from sanum.service.bodies import BodySlots
from sanum.service.case_folder import CaseFolders
from sanum.service.concurrency import ConcurrencyLimit
from sanum.service.limits import Limits
from sanum.service.metrics import Metrics
from sanum.service.openapi import finish_spec
from sanum.service.parts import Parts
from sanum.service.problems import RequestError
from sanum.service.routes_cases import add_case_routes
from sanum.service.routes_predict import add_predict_routes
from sanum.service.routes_service import add_service_routes
from sanum.service.routes_verdicts import add_verdict_routes
from sanum.service.streaming import (
    BODY_SLOTS,
    INCOMING,
    LIMITS,
    StreamingRequest,
    streaming_request,
)
from sanum.service.throttle import Throttle

if TYPE_CHECKING:
    from sanum.model import Model

FORM_FIELDS_AT_MOST = 16


class _App(APIFlask):
    """APIFlask whose functions are all plain ones: looking whether each is a coroutine takes time in every request."""

    request_class = StreamingRequest

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function as it is."""
        return func


@dataclass(frozen=True)
class Deployment:
    """Where a service keeps its things and is found.

    Attributes:
        data: folder for cases, uploads and the audit log.
        loopback: it listens on this machine only.
        hosts: names under which clients reach it; others are refused, so that no foreign page can use a
            browser's way to it. Empty takes any.
    """

    data: Path
    loopback: bool = True
    hosts: tuple[str, ...] = LOOPBACK


def create_app(
    models: Mapping[str, Model], engine: Engine, deployment: Deployment, limits: Limits | None = None
) -> APIFlask:
    """The service around some models.

    Args:
        models: calibrated, by name.
        engine: the service's database, migrated.
        deployment: see there.
        limits: of uploads, queue and rates.
    """
    allowed = limits or Limits()
    app = _App("sanum.service", title="sanum", version=sanum.__version__, docs_path=None)
    audit, metrics = AuditLog(deployment.data / "audit.log"), Metrics(engine)
    throttle = Throttle(deployment.data / f"rates-{socket.gethostname()}", allowed.requests_per_minute)
    access = AccessControl(engine, audit, throttle, loopback=deployment.loopback)
    folders = CaseFolders(deployment.data)
    parts = Parts(
        engine,
        folders,
        jobs.JobQueue(engine, allowed.queue),
        models,
        allowed,
        access,
        audit,
        metrics,
        ConcurrencyLimit(allowed),
    )
    _configure(app, deployment, folders, allowed)
    metrics.install(app)
    access.install(app)
    _answer_errors(app)
    for add_routes in (add_predict_routes, add_case_routes, add_verdict_routes, add_service_routes):
        add_routes(app, parts)
    finish_spec(app)
    return app


def _configure(app: APIFlask, deployment: Deployment, folders: CaseFolders, limits: Limits) -> None:
    app.config.update(
        {
            "MAX_CONTENT_LENGTH": int(limits.upload_mb * 1e6),
            "MAX_FORM_PARTS": FORM_FIELDS_AT_MOST,
            "MAX_FORM_MEMORY_SIZE": 500_000,
            "TRUSTED_HOSTS": list(deployment.hosts) or None,
            "SPEC_PATH": "/openapi.json",
            INCOMING: folders.incoming,
            LIMITS: limits,
            BODY_SLOTS: BodySlots(),
        }
    )
    app.description = "Finds what is not normal in a head scan. Research software, not a medical device."
    app.before_request(_require_host)
    app.before_request(lambda: streaming_request().begin())
    app.after_request(lambda response: streaming_request().end(response))
    app.teardown_request(lambda _error: streaming_request().drop_uploads())


def _require_host() -> None:
    """Without its name the service can't tell whether it was meant; HTTP/1.1 asks for one too."""
    if not request.environ.get("HTTP_HOST"):
        raise RequestError(400, "no-host", "The request has no Host header; send one.")


def _answer_errors(app: APIFlask) -> None:
    problems.install(app)
    app.register_error_handler(HTTPError, lambda error: problems.answer(_from_apiflask(error)))


def _from_apiflask(error: HTTPError) -> RequestError:
    """What a schema found wrong, in one sentence."""
    if not isinstance(error.detail, dict) or not error.detail:
        return RequestError(error.status_code, "http", str(error.message))
    wrong = [
        f"{field}: {' '.join(messages)}"
        for fields in error.detail.values()
        for field, messages in fields.items()
    ]
    return RequestError(422, "invalid-request", "; ".join(wrong)[:1000])
