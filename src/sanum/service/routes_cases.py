"""`/v1/cases`: send, follow, fetch, list, delete."""

from __future__ import annotations

import hashlib
import re

from apiflask import APIFlask
from flask import Response, request, send_file
from sqlalchemy.exc import SQLAlchemyError

from sanum.core.config import did_you_mean
from sanum.core.errors import ConfigError
from sanum.report.page import content_policy
from sanum.service import cases, wire
from sanum.service.case_folder import RESULTS
from sanum.service.cases import AS_CALLED, Case, CaseFilter, Submission
from sanum.service.events import Streams, events
from sanum.service.intake import take_in
from sanum.service.jobs import RETRY_SECONDS, QueueFullError
from sanum.service.models import choose, modalities, takes_any
from sanum.service.openapi import PLAIN, file_answer
from sanum.service.parts import Parts
from sanum.service.problems import RequestError
from sanum.service.streaming import streaming_request
from sanum.service.tokens import SEE

_CASE_ID = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


def add_case_routes(app: APIFlask, parts: Parts) -> None:
    """Add them to the app."""
    _add_submission(app, parts)
    _add_listing(app, parts)
    _add_results(app, parts)


def _add_submission(app: APIFlask, parts: Parts) -> None:
    streams = Streams()

    @app.post("/v1/cases")
    @parts.access.requires(app, "submit")
    @app.input(wire.CaseForm, location="form", arg_name="form")
    @app.output(wire.CaseOut, status_code=202)
    @app.doc(tags=["cases"], summary="Send a case", operation_id="send_case")
    def send(form: wire.CaseForm) -> tuple[wire.CaseOut, int, dict[str, str]]:
        """Accept a case for the queue; once this has answered 202, the case survives any crash.

        With an `Idempotency-Key` header the same request may be sent again without making a second case.
        """
        case, new = _submit(parts, form)
        action = "case.submit" if new else "case.repeat"
        parts.audit.write(parts.access.principal().name, action, case.id, model=case.model)
        headers = {"Location": f"/v1/cases/{case.id}", "Idempotency-Replayed": "false" if new else "true"}
        return _out(parts, case), 202, headers

    @app.get("/v1/cases/<case_id>")
    @parts.access.requires(app, SEE)
    @app.output(wire.CaseOut)
    @app.doc(tags=["cases"], summary="See a case", operation_id="get_case")
    def see(case_id: str) -> wire.CaseOut:
        """Where the case stands, and the addresses of its results once it is done."""
        return _out(parts, find_case(parts, case_id))

    @app.get("/v1/cases/<case_id>/events")
    @parts.access.requires(app, SEE)
    @app.doc(
        tags=["cases"],
        summary="Follow a case",
        operation_id="follow_case",
        responses=file_answer("Server-sent events", "text/event-stream"),
    )
    def follow(case_id: str) -> Response:
        """Server-sent events: `case` with the case whenever it has changed, `deleted` when it is gone."""
        find_case(parts, case_id)

        def look() -> wire.CaseOut | None:
            case = cases.get(parts.engine, case_id)
            return None if case is None else _out(parts, case)

        held = streams.open(events(look))
        return Response(held, mimetype="text/event-stream")


def _add_listing(app: APIFlask, parts: Parts) -> None:
    @app.get("/v1/cases")
    @parts.access.requires(app, SEE)
    @app.input(wire.ListQuery, location="query", arg_name="query")
    @app.output(wire.CasePage)
    @app.doc(tags=["cases"], summary="List cases", operation_id="list_cases")
    def listing(query: wire.ListQuery) -> wire.CasePage:
        """Those that this token may see, newest first."""
        seen = parts.access.principal().submitters
        study = None if query.study is None else cases.study_key(query.study)
        wanted = CaseFilter(query.status, query.decision, query.model, seen, study)
        try:
            page = cases.list_page(parts.engine, wanted, limit=query.limit, after=query.after)
        except ConfigError as error:
            raise RequestError(400, "bad-place", str(error)) from error
        return wire.CasePage(cases=[_out(parts, case) for case in page.cases], next=page.after)

    @app.delete("/v1/cases/<case_id>")
    @parts.access.requires(app, "admin")
    @app.output({}, status_code=204)
    @app.doc(tags=["cases"], summary="Delete a case", operation_id="delete_case")
    def delete(case_id: str) -> str:
        """Forget the case, its inputs and its results. A job that is at it ends without a result."""
        case = find_case(parts, case_id)
        cases.delete(parts.engine, case.id)
        parts.folders.delete(case.id)
        parts.audit.write(parts.access.principal().name, "case.delete", case.id)
        return ""


def _add_results(app: APIFlask, parts: Parts) -> None:
    @app.get("/v1/cases/<case_id>/<name>")
    @parts.access.requires(app, SEE)
    @app.doc(
        tags=["cases"],
        summary="Fetch a result",
        operation_id="get_result",
        responses=file_answer("The file", PLAIN, *sorted({*RESULTS.values()} - {"application/json"})),
    )
    def result(case_id: str, name: str) -> Response:
        """A result of a finished case: its `results` name what there is. `detection.json` is JSON."""
        if name not in RESULTS:
            raise RequestError(
                404, "no-result", f"No result is called so; {did_you_mean(name[:80], RESULTS)}"
            )
        case = find_case(parts, case_id)
        path = parts.folders.result(case, name)
        if path is None:
            told = f"is {case.status}" if case.status != "done" else "has none"
            raise RequestError(404, "no-result", f"There is no {name}: the case {told}.")
        parts.audit.write(parts.access.principal().name, "result.read", case.id, result=name)
        kind = PLAIN if request.accept_mimetypes.best == PLAIN else RESULTS[name]
        response = send_file(path, mimetype=kind, conditional=True, max_age=0)
        if name == "report.html":
            response.headers["Content-Security-Policy"] = content_policy() + "; frame-ancestors 'none'"
        return response


def _submit(parts: Parts, form: wire.CaseForm) -> tuple[Case, bool]:
    upload = streaming_request()
    name, model = choose(parts.models, form.model)
    needed = modalities(model)
    single = needed[0] if len(needed) == 1 else None
    taken = take_in(upload, upload.uploads(), single, parts.limits, form.series)
    missing = [modality for modality in needed if modality not in taken.files]
    if missing and not (takes_any(model) and len(missing) < len(needed)):
        raise RequestError(
            400,
            "missing-modality",
            f"Model {name} needs {'any of ' if takes_any(model) else ''}{', '.join(needed)}; "
            f"{', '.join(missing)} is missing.",
        )
    submission = Submission(
        model=name,
        submitter=parts.access.principal().name,
        files={**taken.files, AS_CALLED: "yes"} if form.as_called else taken.files,
        content_sha256=_sent(taken.sha256, form.as_called),
        label=form.label,
        idempotency_key=_idempotency_key(),
    )
    taken.make_durable()
    parts.folders.accept(submission.id, taken.folder)
    kept, unsure = False, False
    try:
        case, kept = parts.queue.submit(submission)
    except QueueFullError as error:
        raise RequestError(
            429,
            "queue-full",
            "As many cases wait as this service takes; send it again later.",
            retry_after=RETRY_SECONDS,
        ) from error
    except SQLAlchemyError:
        unsure = True  # the database may have kept the case without being able to say so; retention finds out
        raise
    finally:
        if not kept and not unsure:
            parts.folders.delete(submission.id)
    if not kept and (case.content_sha256, case.model) != (submission.content_sha256, name):
        told = "This Idempotency-Key came before with another file or model; use a new one."
        raise RequestError(422, "key-reused", told)
    return case, kept


def _sent(files_sha256: str, as_called: bool) -> str:
    """Identity of what was sent."""
    return hashlib.sha256(f"{files_sha256}:{AS_CALLED}".encode()).hexdigest() if as_called else files_sha256


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and _KEY.fullmatch(key) is None:
        raise RequestError(
            422, "bad-key", "Idempotency-Key: expected 1 to 200 printable characters without spaces."
        )
    return key


def find_case(parts: Parts, case_id: str) -> Case:
    """The case of this id, as far as the token may see it.

    Raises:
        RequestError: 404.
    """
    case = cases.get(parts.engine, case_id) if _CASE_ID.fullmatch(case_id) else None
    if case is None or not parts.access.principal().may_see(case.submitter):
        raise RequestError(404, "no-case", "No case has this id; perhaps it was deleted.")
    return case


def _out(parts: Parts, case: Case) -> wire.CaseOut:
    there = [name for name in RESULTS if parts.folders.result(case, name) is not None]
    return wire.case_out(case, {name: f"/v1/cases/{case.id}/{name}" for name in there})
