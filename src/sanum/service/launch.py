"""`sanum serve`: a web server and its workers as processes, each replaced when it dies."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from apiflask import APIFlask
from sqlalchemy.engine import Engine

from sanum.core.config import from_dict, to_dict
from sanum.core.errors import ConfigError, ModelFileError, SanumError
from sanum.service.access import LOOPBACK
from sanum.service.burial import Burial
from sanum.service.case_judge import Judge
from sanum.service.database import database_engine, default_url, open_database
from sanum.service.limits import Limits
from sanum.service.metrics import SHARED
from sanum.service.models import import_libraries, load_served, model_files
from sanum.service.retention import Retention
from sanum.service.streaming import sweep_memory
from sanum.service.supervisor import STOP_SECONDS, Supervisor
from sanum.service.tokens import any_token
from sanum.service.worker import Worker, WorkerSettings
from sanum.workflow.executor import default_workers

PRIVATE = 0o077
"""The umask: what the service writes may name a patient."""

READY_POLL_SECONDS = 0.5

PORT_SECONDS = 2.0
"""How long a taken port may stay so."""

READY_SECONDS = 600.0
"""No longer does the start wait for the service to be ready, in order to tell so."""

MOST_SERVERS = 4
"""Web processes where nobody says how many; each takes about 0.3 GB with a small model."""


@dataclass(frozen=True)
class ServeConfig:
    """How a service is run.

    Attributes:
        models: calibrated model files.
        data: folder for cases, uploads, audit log, and the embedded database.
        host, port: where to listen; loopback by default.
        hosts: further names under which clients reach it, such as that of a proxy.
        database: URL; an embedded SQLite file in `data` by default.
        servers: web processes; each holds the models for `/v1/predict`. 0 is one a core, at most `MOST_SERVERS`.
        workers: processes that judge cases; 0 where other hosts do that.
        case_seconds: a case that takes longer fails.
        limits, retention: see there.
    """

    models: tuple[str, ...]
    data: str
    host: str = "127.0.0.1"
    port: int = 8417
    hosts: tuple[str, ...] = ()
    database: str | None = None
    servers: int = 0
    workers: int = 1
    case_seconds: float = 900.0
    limits: Limits = field(default_factory=Limits)
    retention: Retention = field(default_factory=Retention)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port: expected 0 to 65535, got {self.port}")
        if self.servers < 0 or self.workers < 0:
            raise ConfigError(f"expected 0 or more servers and workers, got {self.servers}, {self.workers}")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in LOOPBACK

    @property
    def server_processes(self) -> int:
        """How many web processes there are."""
        return self.servers or min(default_workers(), MOST_SERVERS)

    @property
    def url(self) -> str:
        """Of the database."""
        return self.database or default_url(Path(self.data))

    def open(self) -> Engine:
        """The service's database, with all tables.

        Raises:
            ConfigError: others could reach the service and no token exists.
            StorageError: the database can't be used.
        """
        engine = open_database(self.url)
        if not self.loopback and not any_token(engine):
            raise ConfigError(
                f"host {self.host}: without tokens everyone in reach could see every case; "
                f"make one first with `sanum token make NAME --scope admin --data {self.data}`"
            )
        return engine


def serve(config: ServeConfig) -> None:
    """Run web server and workers until asked to stop.

    Raises:
        ModelFileError, CalibrationError: a model can't be served.
        ConfigError: an address beyond this machine while no token exists, a taken port, or a setting out of range.
        StorageError: the database or the data folder can't be used.
    """
    models = _models(config)
    engine = config.open()
    _refuse_taken_port(config)
    _announce(config, models)
    _clear_shared(config)
    roles = ("web", *["worker"] * config.workers)
    check = ModelCheck(config, Burial(engine))
    supervisor = Supervisor(roles, lambda role, name: start(role, name, config), check.on_death)
    check.stopping = supervisor.stopping
    supervisor.run()
    check.raise_failure()


def _clear_shared(config: ServeConfig) -> None:
    """An empty folder for the figures that all processes share; what killed ones left in memory goes."""
    shared = Path(config.data).resolve() / f"metrics-{socket.gethostname()}"
    shutil.rmtree(shared, ignore_errors=True)
    shared.mkdir(parents=True, mode=0o700)
    os.environ[SHARED] = str(shared)
    sweep_memory(time.time())


def _refuse_taken_port(config: ServeConfig) -> None:
    """Say so at once where another program listens. The children of a killed service end within a second."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    deadline = time.monotonic() + PORT_SECONDS
    while True:
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((config.host, config.port))
            return
        except OSError as error:
            place = f"host {config.host}, port {config.port}"
            if error.errno != errno.EADDRINUSE:
                raise ConfigError(f"{place}: {error.strerror}; choose another --host or --port") from error
            if time.monotonic() > deadline:
                raise ConfigError(
                    f"{place}: another program listens there; end it or choose another --port"
                ) from error
        time.sleep(READY_POLL_SECONDS)


def start(role: str, name: str, config: ServeConfig) -> subprocess.Popen[bytes]:
    """Start a process of the service under a name of its own: "web" or "worker"."""
    return subprocess.Popen(_command(role, name, config), env=_environment(role, config))


def _announce(config: ServeConfig, models: Mapping[str, Path]) -> None:
    """Tell where the service will be, at once, and when it is there: loading takes seconds."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    address = f"http://{host}:{config.port}"
    began = time.monotonic()
    servers, workers = config.server_processes, config.workers
    shares = f"{servers} web process{'es'[: 2 * (servers != 1)]} and {workers} worker{'s'[: workers != 1]}"
    print(f"{address} answers soon: {shares} load {', '.join(models)}", flush=True)

    def wait() -> None:
        while not _answers(f"{address}/readyz"):
            if time.monotonic() - began > READY_SECONDS:
                return  # such as a web host whose workers are elsewhere and not there yet
            time.sleep(READY_POLL_SECONDS)
        print(f"ready after {time.monotonic() - began:.0f} s", flush=True)

    threading.Thread(target=wait, name="announce", daemon=True).start()


def _answers(address: str) -> bool:
    request = urllib.request.Request(address, headers={"Host": "localhost"})  # taken under any other name too
    try:
        with urllib.request.urlopen(request, timeout=STOP_SECONDS) as response:
            return int(response.status) == 200
    except OSError:
        return False


def work(config: ServeConfig) -> None:
    """Run one worker in this process until asked to stop; for further hosts.

    Raises:
        ModelFileError, CalibrationError, StorageError: as `serve`.
    """
    os.umask(PRIVATE)
    config.open()
    _work(config, uuid.uuid4().hex)


def _web(config: ServeConfig) -> None:
    import sanum.service.app  # noqa: F401
    from sanum.service.web_server import run

    import_libraries()  # like the application before the fork: once for all web processes
    run(
        lambda: load_app(config, database_engine(config.url)),
        host=config.host,
        port=config.port,
        workers=config.server_processes,
    )


def load_app(config: ServeConfig, engine: Engine) -> APIFlask:
    """The web application of one server process, with its models loaded; the database may be away meanwhile.

    Args:
        config: of the service.
        engine: its database.

    Raises:
        ModelFileError, CalibrationError, StorageError: as `serve`.
    """
    from sanum.service.app import Deployment, create_app

    models = {name: load_served(path) for name, path in _models(config).items()}
    hosts = (*LOOPBACK, *config.hosts) if config.loopback or config.hosts else ()
    deployment = Deployment(Path(config.data), config.loopback, hosts)
    return create_app(models, engine, deployment, config.limits)


def _work(config: ServeConfig, name: str) -> None:
    settings = WorkerSettings(case_seconds=config.case_seconds, retention=config.retention)
    Worker(database_engine(config.url), Path(config.data), Judge(_models(config)), settings, name).run()


class ModelCheck:
    """Loads every model once, in a process that ends, after the first death of a process by an error of its own: a model
    that is damaged stops all of the service, instead of ending each process that loads it again and again.

    Args:
        config: of the service.
        burial: told of every death.
    """

    stopping: threading.Event
    """Of the supervisor, which is made later."""

    def __init__(self, config: ServeConfig, burial: Callable[[str, str, int], None]) -> None:
        self._command = _command("check", "", config)
        self._burial = burial
        self._begun = threading.Lock()
        self._failure = ""

    def on_death(self, role: str, name: str, status: int) -> None:
        """Bury a process, and look once whether a model was to blame; see `Supervisor`."""
        self._burial(role, name, status)
        if status > 0 and self._begun.acquire(blocking=False):  # never released: once is enough
            self._load_all()

    def _load_all(self) -> None:
        done = subprocess.run(self._command, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode > 0 and not self.stopping.is_set():
            self._failure = done.stderr.strip().rpartition("\n")[2]
            self.stopping.set()

    def raise_failure(self) -> None:
        """To be called when all has stopped.

        Raises:
            ModelFileError: a model can't be loaded.
        """
        if self._failure:
            raise ModelFileError(self._failure)


def _command(role: str, name: str, config: ServeConfig) -> list[str]:
    settings = msgspec.json.encode(to_dict(config)).decode()
    return [sys.executable, "-m", "sanum.service.launch", role, name, settings]


def _environment(role: str, config: ServeConfig) -> dict[str, str]:
    """The processes share the cores: threads that spin while they wait cost a volume four times its time."""
    threads = max(1, default_workers() // (config.server_processes if role == "web" else config.workers))
    return {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE", **os.environ}


def _models(config: ServeConfig) -> dict[str, Path]:
    return model_files([Path(path) for path in config.models])


def end_with_parent(check: Callable[[], int] = os.getppid) -> None:
    """A process whose parent was killed ends too: its successor needs the port, and nobody would stop it."""
    parent = check()

    def watch() -> None:
        while check() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _main(role: str, name: str, settings: str) -> None:
    config = from_dict(ServeConfig, msgspec.json.decode(settings))
    os.umask(PRIVATE)
    end_with_parent()
    if role == "check":
        for path in _models(config).values():
            load_served(path)
    elif role == "web":
        _web(config)
    else:
        _work(config, name)


if __name__ == "__main__":
    try:
        _main(*sys.argv[1:])
    except SanumError as error:
        sys.exit(str(error))
