"""`/v1/cases/…/verdicts` and `/v1/verdicts.tsv`: what readers say of findings."""

from __future__ import annotations

import json

from apiflask import APIFlask
from flask import Response

from sanum.service import verdicts, wire
from sanum.service.cases import Case
from sanum.service.openapi import file_answer
from sanum.service.parts import Parts
from sanum.service.problems import RequestError
from sanum.service.routes_cases import find_case
from sanum.service.tokens import SEE


def add_verdict_routes(app: APIFlask, parts: Parts) -> None:
    """Add them to the app."""

    @app.put("/v1/cases/<case_id>/findings/<int:finding>/verdict")
    @parts.access.requires(app, SEE)
    @app.input(wire.VerdictIn, arg_name="given")
    @app.output(wire.VerdictList)
    @app.doc(tags=["cases"], summary="Say what you think of a finding", operation_id="give_verdict")
    def give_verdict(case_id: str, finding: int, given: wire.VerdictIn) -> wire.VerdictList:
        """Keep a reader's verdict; the reader is the token, and a later word takes the place of an earlier one."""
        case = find_case(parts, case_id)
        if finding not in _ranks(parts, case):
            raise RequestError(404, "no-finding", "The case has no finding of this rank.")
        reader = parts.access.principal().name
        verdicts.give(parts.engine, case.id, finding, reader, given.verdict)
        parts.audit.write(reader, "verdict.give", case.id)
        return _listed(parts, case)

    @app.get("/v1/cases/<case_id>/verdicts")
    @parts.access.requires(app, SEE)
    @app.output(wire.VerdictList)
    @app.doc(tags=["cases"], summary="See the verdicts on a case", operation_id="get_verdicts")
    def see_verdicts(case_id: str) -> wire.VerdictList:
        """What readers said of its findings, and who asks."""
        return _listed(parts, find_case(parts, case_id))

    @app.get("/v1/verdicts.tsv")
    @parts.access.requires(app, SEE)
    @app.doc(
        tags=["cases"],
        summary="Export all verdicts",
        operation_id="export_verdicts",
        responses=file_answer("One verdict a line", "text/tab-separated-values"),
    )
    def export_verdicts() -> Response:
        """Of the cases that this token may see: case, model, decision, finding, reader, verdict; no labels."""
        text = verdicts.table(parts.engine, parts.access.principal().submitters)
        return Response(text, mimetype="text/tab-separated-values")


def _ranks(parts: Parts, case: Case) -> set[int]:
    path = parts.folders.result(case, "detection.json")
    if path is None:
        return set()
    return {int(one["rank"]) for one in json.loads(path.read_text(encoding="utf-8"))["findings"]}


def _listed(parts: Parts, case: Case) -> wire.VerdictList:
    given = [wire.verdict_out(one) for one in verdicts.of_case(parts.engine, case.id)]
    return wire.VerdictList(reader=parts.access.principal().name, verdicts=given)
