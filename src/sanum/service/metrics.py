"""Figures for Prometheus: what the service was asked, how long it took, and how full the queue is."""

from __future__ import annotations

import os
import time
from pathlib import Path

from apiflask import APIFlask
from flask import Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.engine import Engine

from sanum.service import cases
from sanum.service.mapped import allocate

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable that names the folder where several server processes add up their figures."""


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_FILE_BYTES = 1 << 20
"""Room for the figures of one process and kind, five times what all routes, methods and statuses can need together."""


class _Queue(Collector):
    """Cases by status, counted when asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> list[GaugeMetricFamily]:
        """The gauge."""
        gauge = GaugeMetricFamily("sanum_cases", "Cases that are kept, by status.", labels=["status"])
        for status, count in cases.count_by_status(self._engine).items():
            gauge.add_metric([status], count)
        return [gauge]


class Metrics:
    """Counts requests of one application.

    Args:
        engine: the service's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        if SHARED in os.environ:
            _allocate_files(Path(os.environ[SHARED]))
        self._registry = CollectorRegistry()
        self._registry.register(_Queue(engine))
        self._requests = Counter(
            "sanum_requests",
            "Requests by route and status.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "sanum_request_seconds", "Seconds until the answer began.", ["route"], registry=self._registry
        )

    def install(self, app: APIFlask) -> None:
        """Count every request of the app, by its route: addresses would name cases."""
        app.before_request(self._start)
        app.after_request(self._count)

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        if SHARED not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        together.register(_Queue(self._engine))
        multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)

    def _start(self) -> None:
        g.started = time.perf_counter()

    def _count(self, response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule is not None else "other"
        method = request.method if request.method in _METHODS else "other"
        self._requests.labels(method, route, str(response.status_code)).inc()
        self._seconds.labels(route).observe(time.perf_counter() - g.get("started", time.perf_counter()))
        return response


def _allocate_files(folder: Path) -> None:
    """The files that prometheus_client will map in this process; it would make them with holes."""
    for kind in ("counter", "histogram"):
        path = folder / f"{kind}_{os.getpid()}.db"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            allocate(descriptor, _FILE_BYTES)
        finally:
            os.close(descriptor)
