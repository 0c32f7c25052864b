"""What a listener did: lines of the service's audit log, and DICOM audit messages where a syslog server is named."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sanum.dicom.deidentify import Deidentifier
from sanum.pacs.audit_message import (
    APPLICATION,
    DESTINATION,
    DESTINATION_MEDIA,
    SOURCE,
    SOURCE_MEDIA,
    Event,
    Party,
    Subject,
    audit_message,
)
from sanum.pacs.config import Destination, PacsConfig, Source
from sanum.pacs.syslog import Syslog
from sanum.service.audit import AuditLog


class Trail(AuditLog):
    """The audit log of a listener.

    Args:
        path: of the log.
        config: our AE title, and the syslog server, if any.
        deidentifier: gives patients and studies their pseudonyms.
    """

    def __init__(self, path: Path, config: PacsConfig, deidentifier: Deidentifier) -> None:
        super().__init__(path)
        self._own = config.listener.ae_title
        self._deidentifier = deidentifier
        self._syslog = None if config.syslog is None else Syslog(config.syslog)

    def subject(self, header: Any, instances: int) -> Subject:
        """Whose instances, by the header of one of them."""
        return Subject(self._deidentifier.person(header), self._deidentifier.study(header), instances)

    def runs(self, event: Event) -> None:
        """The receiver started or stopped."""
        self.write("pacs", f"listener.{event}")
        self._tell(event, [Party(self._own, APPLICATION)])

    def refused(self, address: str) -> None:
        """An association was turned away."""
        self.write("pacs", "association.refuse", address=address)
        stranger = Party(address, None, address, asks=True)
        self._tell("alert", [Party(self._own, None), stranger], failed=True)

    def received(self, ae_title: str, address: str, subject: Subject) -> None:
        """Instances of a study came by C-STORE within one association."""
        self.write("pacs", "instances.receive", address=address, instances=subject.instances)
        peer = Party(ae_title, SOURCE, address, asks=True)
        self._tell("transferred", [peer, Party(self._own, DESTINATION)], subject)

    def pulled(self, source: Source, subject: Subject) -> None:
        """Instances of a study were fetched from a DICOMweb service."""
        self.write("pacs", "study.pull", source=source.name, instances=subject.instances)
        own = Party(self._own, DESTINATION, asks=True)
        self._tell("import", [own, Party(source.url, SOURCE_MEDIA)], subject)

    def sending(self, destination: Destination, subject: Subject) -> None:
        """Results are about to be sent."""
        self._tell("begin", self._way(destination, DESTINATION), subject)

    def sent(self, destination: Destination, subject: Subject) -> None:
        """Results were taken. Without identities they leave the place that knows the patient, which is an export."""
        if destination.keeps_identity:
            self._tell("transferred", self._way(destination, DESTINATION), subject)
        else:
            self._tell("export", self._way(destination, DESTINATION_MEDIA), subject)

    def close(self) -> None:
        """Send what waits for the syslog server."""
        if self._syslog is not None:
            self._syslog.close()

    def _way(self, destination: Destination, role: tuple[str, str]) -> list[Party]:
        there = destination.url or f"dicom://{destination.ae_title}@{destination.host}:{destination.port}"
        return [Party(self._own, SOURCE, asks=True), Party(there, role)]

    def _tell(
        self, event: Event, parties: Sequence[Party], subject: Subject | None = None, *, failed: bool = False
    ) -> None:
        if self._syslog is not None:
            now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
            self._syslog.send(audit_message(event, parties, subject, now, failed=failed), now)
