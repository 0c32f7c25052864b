"""A receiver on loopback with a data folder of its own."""

from __future__ import annotations

import pytest

pytest.importorskip("pynetdicom")
pytest.importorskip("highdicom")

from dataclasses import dataclass
from pathlib import Path

from sanum.dicom.deidentify import Deidentifier
from sanum.pacs.config import Destination, Listener, PacsConfig, Peer, Rule
from sanum.pacs.received import ReceivedStudies
from sanum.pacs.receiver import Receiver
from sanum.pacs.trail import Trail
from tests.pacs.orthanc import free_port


@dataclass(frozen=True)
class Listening:
    """A running receiver."""

    port: int
    data: Path
    studies: ReceivedStudies
    receiver: Receiver

    def files(self) -> list[Path]:
        return sorted((self.data / "pacs" / "studies").rglob("*.dcm"))

    @property
    def audit(self) -> str:
        log = self.data / "audit.log"
        return log.read_text() if log.exists() else ""


@pytest.fixture
def listen(tmp_path):
    """Start a receiver with other limits, and with more than "SCANNER" as a peer."""
    running = []

    def start(*, deidentifier=None, peers=(("SCANNER", "127.0.0.1"),), syslog=None, **limits) -> Listening:
        listener = Listener(port=free_port(), **{"free_gb": 0.0, "network_seconds": 3.0, **limits})
        config = PacsConfig(
            listener,
            tuple(Peer(title, (address,)) for title, address in peers),
            (Rule("all", "sanum-t1-restore"),),
            (Destination("pacs", url="http://127.0.0.1:1"),),
            syslog=syslog,
        )
        studies = ReceivedStudies(tmp_path / "data", listener, deidentifier)
        trail = Trail(tmp_path / "data" / "audit.log", config, Deidentifier(b"s" * 32))
        receiver = Receiver(config, studies, trail)
        port = receiver.start()
        running.append(receiver)
        return Listening(port, tmp_path / "data", studies, receiver)

    yield start
    for receiver in reversed(running):
        receiver.stop()
