"""`sanum listen`: receiver, carrier and workers as processes, each replaced when it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlalchemy.engine import Engine

from sanum.core.config import from_dict, to_dict
from sanum.core.errors import SanumError, ScanError
from sanum.core.shipped import find_model
from sanum.dicom.deidentify import Deidentifier, kept_secret
from sanum.dicom.write import require_extra
from sanum.pacs.config import PacsConfig, read_config
from sanum.pacs.delivery import Carrier
from sanum.pacs.pull import Puller
from sanum.pacs.received import ReceivedStudies
from sanum.pacs.records import Records
from sanum.pacs.router import Place, Router
from sanum.pacs.trail import Trail
from sanum.service import launch as service
from sanum.service.burial import Burial
from sanum.service.case_folder import CaseFolders
from sanum.service.jobs import JobQueue
from sanum.service.supervisor import Supervisor

STEP_SECONDS = 1.0
"""How often the carrier looks for something to do."""

MOST_WAITING = 1000
"""Cases that may wait or run; studies beyond wait on disk."""


@dataclass(frozen=True)
class ListenConfig:
    """How a listener is run.

    Attributes:
        file: the TOML file.
        data: the service's data folder.
        database: URL; None for the embedded one of the data folder.
    """

    file: str
    data: str
    database: str | None = None

    def read(self) -> PacsConfig:
        """What the file says.

        Raises:
            ConfigError: see `read_config`.
        """
        return read_config(Path(self.file))

    def service(self) -> service.ServeConfig:
        """The same data folder and models, as a worker sees them.

        Raises:
            ModelFileError: a rule names no model.
        """
        config = self.read()
        models = sorted({str(find_model(Path(rule.model))) for rule in config.rules})
        return service.ServeConfig(
            tuple(models), self.data, database=self.database, workers=config.listener.workers
        )


def listen(config: ListenConfig) -> None:
    """Receive, judge and send until asked to stop.

    Raises:
        ConfigError: the file is wrong, or the extra is not installed.
        ModelFileError, CalibrationError: a rule's model can't be served.
        StorageError: the database or the data folder can't be used.
    """
    require_extra()
    served = config.service()
    engine = served.open()
    Records(engine)
    check = service.ModelCheck(served, Burial(engine))
    supervisor = Supervisor(
        ["receiver", "carrier", *["worker"] * served.workers],
        lambda role, name: _start(role, name, config, served),
        check.on_death,
    )
    check.stopping = supervisor.stopping
    supervisor.run()
    check.raise_failure()


def _start(
    role: str, name: str, config: ListenConfig, served: service.ServeConfig
) -> subprocess.Popen[bytes]:
    if role == "worker":
        return service.start(role, name, served)
    settings = msgspec.json.encode(to_dict(config)).decode()
    return subprocess.Popen([sys.executable, "-m", "sanum.pacs.launch", role, settings])


def receive(config: ListenConfig, stopping: threading.Event) -> None:
    """Run the receiver until asked to stop."""
    from sanum.pacs.receiver import Receiver

    pacs, data = config.read(), Path(config.data)
    studies = _studies(pacs, data)
    trail = _trail(pacs, data)
    receiver = Receiver(pacs, studies, trail)
    receiver.start()
    trail.runs("start")
    while not stopping.wait(60.0):
        studies.sweep()
    receiver.stop()
    trail.runs("stop")
    trail.close()


def carry(config: ListenConfig, stopping: threading.Event) -> None:
    """Route complete studies and send results until asked to stop."""
    pacs, data = config.read(), Path(config.data)
    engine = config.service().open()
    place = open_place(config, engine)
    pullers = {
        source.name: (source.every_seconds, Puller(source, place.studies, place.records, place.audit))
        for source in pacs.sources
    }
    router = Router(pacs, place, [puller for _, puller in pullers.values()])
    carrier = Carrier(pacs, place, engine, _deidentifier(data))
    asked = dict.fromkeys(pullers, 0.0)
    while not stopping.wait(STEP_SECONDS):
        for name, (every, puller) in pullers.items():
            if time.monotonic() - asked[name] >= every or not asked[name]:
                asked[name] = time.monotonic()
                _ask(name, puller, place.audit)
        router.run_once()
        carrier.run_once()
    place.audit.close()


def _ask(name: str, puller: Puller, audit: Trail) -> None:
    """A source that does not answer is asked again at its next turn."""
    try:
        puller.run_once()
    except ScanError:
        audit.write("pacs", "source.silent", source=name)


def _studies(pacs: PacsConfig, data: Path) -> ReceivedStudies:
    return ReceivedStudies(data, pacs.listener, _deidentifier(data) if pacs.listener.deidentify else None)


def _trail(pacs: PacsConfig, data: Path) -> Trail:
    return Trail(data / "audit.log", pacs, _deidentifier(data))


def _deidentifier(data: Path) -> Deidentifier:
    folder = data / "pacs"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Deidentifier(kept_secret(folder / "secret"))


def open_place(config: ListenConfig, engine: Engine) -> Place:
    """Folders, queue and records of a listener."""
    data, pacs = Path(config.data), config.read()
    return Place(
        studies=_studies(pacs, data),
        folders=CaseFolders(data),
        origins=data.resolve() / "pacs" / "origins",
        queue=JobQueue(engine, MOST_WAITING),
        records=Records(engine),
        audit=_trail(pacs, data),
    )


def _main(role: str, settings: str) -> None:
    config = from_dict(ListenConfig, msgspec.json.decode(settings))
    service.end_with_parent()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if role == "receiver":
        receive(config, stopping)
    else:
        carry(config, stopping)
    os._exit(0)  # threads of open associations must not hold the process


if __name__ == "__main__":
    try:
        _main(*sys.argv[1:])
    except SanumError as error:
        sys.exit(str(error))
