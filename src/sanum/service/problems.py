"""One shape for every error: problem details, RFC 9457."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from sanum.core.records import NOTICE
from sanum.service.faults import Fault, cause_of, fault_of

MEDIA_TYPE = "application/problem+json"

FAULT_RETRY_SECONDS = 10
"""What a client is told to wait while database or disk fail."""


class RequestError(Exception):
    """A request that gets an answer other than success: a problem in the sense of RFC 9457.

    Args:
        status: HTTP status.
        kind: short name of the problem; its `type` is `urn:sanum:problem:<kind>`.
        detail: what was wrong with this request and what to do.
        title: what this kind of problem is; the status' phrase by default.
        members: further JSON members.
        retry_after: seconds after which it may go better.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        title: str = "",
        members: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.title = title or HTTPStatus(status).phrase
        self.members = members or {}
        self.retry_after = retry_after

    def to_dict(self) -> dict[str, Any]:
        """The problem as JSON."""
        return {
            "type": f"urn:sanum:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.members,
            "notice": NOTICE,
        }


def install(app: Flask) -> None:
    """Answer every error of the app with a problem; the cause of a server fault goes to the log only."""
    app.register_error_handler(RequestError, answer)
    app.register_error_handler(HTTPException, lambda error: answer(from_http(error)))
    app.register_error_handler(Exception, _server_fault)


def answer(problem: RequestError) -> Response:
    """The problem as a response."""
    response = Response(json.dumps(problem.to_dict()), status=problem.status, mimetype=MEDIA_TYPE)
    if problem.status == 503:
        response.headers["Retry-After"] = "30"
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after)))
    return response


def from_http(error: HTTPException) -> RequestError:
    """A problem for an error that the framework raised."""
    status = error.code or 500
    if status == 413:
        limit = int((current_app.config["MAX_CONTENT_LENGTH"] or 0) / 1e6)
        return RequestError(413, "too-large", f"The upload is larger than this service takes ({limit} MB).")
    if status == 404:
        return RequestError(404, "not-found", f"Nothing is at {request.path}; /docs tells what there is.")
    if status == 405:
        return RequestError(405, "method-not-allowed", f"{request.path} does not answer {request.method}.")
    return RequestError(status, "http", error.description or HTTPStatus(status).phrase)


def _server_fault(error: Exception) -> Response:
    fault = fault_of(error)
    if fault is not None:
        current_app.logger.warning("%s %s: %s (%s)", request.method, request.path, fault, cause_of(error))
        kind = "disk-full" if fault is Fault.DISK else "database-away"
        told = f"Just now {fault}; the same request may succeed later."
        return answer(RequestError(503, kind, told, retry_after=FAULT_RETRY_SECONDS))
    current_app.logger.error("%s %s failed", request.method, request.path, exc_info=error)
    return answer(
        RequestError(500, "server-fault", "The service failed on this request; its log has the cause.")
    )
