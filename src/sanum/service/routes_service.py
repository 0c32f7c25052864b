"""What the service says about itself: models, health, figures, its API page and the viewer."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from apiflask import APIFlask
from flask import Response, render_template, send_from_directory

from sanum.core.records import NOTICE
from sanum.report.page import style
from sanum.service import metrics, wire
from sanum.service.access import PAGE_POLICY
from sanum.service.database import workers
from sanum.service.models import choose, modalities
from sanum.service.openapi import file_answer
from sanum.service.parts import Parts
from sanum.service.problems import RequestError
from sanum.service.tokens import SEE

if TYPE_CHECKING:
    from sanum.model import Model

LEAST_FREE_MB = 500.0
"""With less space left on the data folder's disk the service asks not to be sent anything."""

MISSED_SECONDS = 120.0
"""A worker that was not seen for so long does not count as running."""

VIEWER = "viewer"


def add_service_routes(app: APIFlask, parts: Parts) -> None:
    """Add them to the app."""
    _add_state(app, parts)
    _add_pages(app)


def _add_state(app: APIFlask, parts: Parts) -> None:
    @app.get("/v1/models")
    @parts.access.requires(app, SEE)
    @app.output(wire.ModelList)
    @app.doc(tags=["service"], summary="List models", operation_id="list_models")
    def models() -> wire.ModelList:
        """Every model that is served, with its card."""
        return wire.ModelList(models=[_model_out(name, model) for name, model in parts.models.items()])

    @app.get("/v1/model")
    @parts.access.requires(app, SEE)
    @app.input(wire.ModelQuery, location="query", arg_name="query")
    @app.doc(tags=["service"], summary="See a model's card", operation_id="get_model")
    def card(query: wire.ModelQuery) -> dict[str, object]:
        """The card of one model: what it is, what it learned from, how it decides."""
        return {**choose(parts.models, query.name)[1].card, "notice": NOTICE}

    @app.get("/healthz")
    @app.output(wire.Health)
    @app.doc(tags=["service"], summary="Alive?", operation_id="healthz")
    def healthz() -> wire.Health:
        """The process answers."""
        return wire.Health(status="ok")

    @app.get("/readyz")
    @app.output(wire.Health)
    @app.doc(tags=["service"], summary="Ready for work?", operation_id="readyz", responses={503: "Not ready"})
    def readyz() -> wire.Health:
        """The database answers, a worker lives, and the disk has room; 503 otherwise."""
        checks = _checks(parts)
        if any(said != "ok" for said in checks.values()):
            told = "; ".join(f"{name}: {said}" for name, said in checks.items() if said != "ok")
            raise RequestError(503, "not-ready", told, members={"checks": checks})
        return wire.Health(status="ok", checks=checks)

    @app.get("/metrics")
    @parts.access.requires(app, "read")
    @app.doc(
        tags=["service"],
        summary="Figures",
        operation_id="metrics",
        responses=file_answer("Prometheus' text format", "text/plain"),
    )
    def figures() -> Response:
        """For Prometheus."""
        return Response(parts.metrics.text(), content_type=metrics.MEDIA_TYPE)


def _checks(parts: Parts) -> dict[str, str]:
    try:
        with parts.engine.connect() as connection:
            alive = connection.scalar(
                sa.select(sa.func.count())
                .select_from(workers)
                .where(workers.c.seen > time.time() - MISSED_SECONDS)
            )
    except sa.exc.SQLAlchemyError:
        return {"database": "does not answer"}
    free = shutil.disk_usage(parts.folders.incoming).free / 1e6
    return {
        "database": "ok",
        "worker": "ok" if alive else "none is running",
        "disk": "ok" if free > LEAST_FREE_MB else f"{free:.0f} MB left",
    }


def _model_out(name: str, model: Model) -> wire.ModelOut:
    levels = [wire.MapLevel(share=share, value=value) for share, value in model.map_levels.items()]
    return wire.ModelOut(name=name, modalities=modalities(model), card=_plain(model.card), map_levels=levels)


def _plain(card: Mapping[str, object]) -> dict[str, object]:
    return dict(card)


def _add_pages(app: APIFlask) -> None:
    folder = Path(str(resources.files("sanum.service").joinpath(VIEWER)))

    @app.get("/")
    @app.doc(hide=True)
    def viewer() -> Response:
        return _page(send_from_directory(folder, "index.html", max_age=0))

    @app.get("/study/<uid>")
    @app.doc(hide=True)
    def study(uid: str) -> Response:
        """The same page: it asks, with its token, for the cases of the study that its address names."""
        del uid
        return _page(send_from_directory(folder, "index.html", max_age=0))

    @app.get("/viewer/<path:name>")
    @app.doc(hide=True)
    def asset(name: str) -> Response:
        response = _page(send_from_directory(folder, name))
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    @app.get("/docs")
    @app.doc(hide=True)
    def api_page() -> Response:
        text = render_template("api.html.j2", spec=app.spec, style=style(), notice=NOTICE)
        response = Response(text, mimetype="text/html")
        response.headers["Content-Security-Policy"] = f"{_style_policy()}; frame-ancestors 'none'"
        return response


def _style_policy() -> str:
    from sanum.report.page import content_policy

    return content_policy()


def _page(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response
