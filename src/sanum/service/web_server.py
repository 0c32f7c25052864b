"""The web server process."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sanum.core.errors import ConfigError

if TYPE_CHECKING:
    from flask import Flask

THREADS = 64
"""Each stream of events (16 at most), body (16), body read away (4), waiting prediction (17), and connection without
a request (8) holds one: some are always left for everything else."""

SILENCE_SECONDS = 120
"""A worker whose main thread is silent for so long is replaced; requests run in threads beside it."""


def run(make_app: Callable[[], Flask], *, host: str, port: int, workers: int) -> None:
    """Run an application under gunicorn; `make_app` is called once in each worker, after the fork.

    Raises:
        ConfigError: on Windows, or a port or number of workers that is none.
    """
    if platform.system() == "Windows":
        raise ConfigError("sanum serve needs gunicorn, which does not run on Windows; use WSL or a container")
    if not 0 <= port <= 65535:
        raise ConfigError(f"port: expected 0 to 65535, got {port}")
    if workers < 1:
        raise ConfigError(f"workers: expected 1 or more, got {workers}")
    from gunicorn.app.base import BaseApplication

    class Server(BaseApplication):  # type: ignore[misc]  # gunicorn is untyped
        def load_config(self) -> None:
            for key, value in _options(host, port, workers).items():
                if key in self.cfg.settings:
                    self.cfg.set(key, value)

        def load(self) -> Flask:
            return make_app()

    Server().run()


def _options(host: str, port: int, workers: int) -> dict[str, Any]:
    address = f"[{host}]" if ":" in host else host
    return {
        "bind": f"{address}:{port}",
        "workers": workers,
        "worker_class": "sanum.service.web_worker.DeadlineWorker",
        "threads": THREADS,
        "timeout": SILENCE_SECONDS,
        "preload_app": False,
        "control_socket_disable": True,  # newer gunicorns only; it would lie in the home folder
        "proc_name": "sanum",
    }
