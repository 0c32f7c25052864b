"""From a decided case to its results in the PACS: made once, sent until taken."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from sqlalchemy.engine import Engine

from sanum.dicom.deidentify import Deidentifier
from sanum.pacs.config import Destination, PacsConfig
from sanum.pacs.records import Delivery
from sanum.pacs.router import Place
from sanum.pacs.sending import SendError, send
from sanum.service import cases
from sanum.service.cases import Case
from sanum.service.faults import fault_of
from sanum.workflow.dicom_results import DEIDENTIFIED, FOLDER, add_dicom

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 3600.0
"""Seconds before a failed destination is tried again, doubled each time."""

GIVE_UP_SECONDS = 7 * 86_400.0


class Carrier:
    """Makes and sends results.

    Args:
        config: rules and destinations.
        place: where the listener works.
        engine: the service's database.
        deidentifier: for destinations that get no identities.
    """

    def __init__(self, config: PacsConfig, place: Place, engine: Engine, deidentifier: Deidentifier) -> None:
        self._config = config
        self._place = place
        self._engine = engine
        self._deidentifier = deidentifier

    def run_once(self) -> None:
        """Take every delivery that is due one step further."""
        for delivery in self._place.records.due(time.time()):
            case = cases.get(self._engine, delivery.case)
            if case is None:
                self._fail(delivery, "the case was deleted")
            elif case.status == "failed":
                self._fail(delivery, "the case failed; see its error")
            elif case.ended:
                self._try(delivery, case)

    def _try(self, delivery: Delivery, case: Case) -> None:
        try:
            self._deliver(delivery, case)
        except SendError as error:
            self._put_off(delivery, str(error))
        except Exception as error:  # headers from anywhere: what one study's do must not keep others waiting
            if fault_of(error) is not None:
                raise
            self._fail(delivery, f"its results can't be written as DICOM ({type(error).__name__})")

    def _deliver(self, delivery: Delivery, case: Case) -> None:
        rule = self._config.rule(delivery.rule)
        sent = list(delivery.sent_to)
        for name in () if rule is None else rule.send_to:
            if name in sent:
                continue
            self._send(
                self._files(delivery, case, self._config.destination(name)), self._config.destination(name)
            )
            sent.append(name)
            self._place.records.change(delivery, state="sending", sent_to=sent, attempts=0)
        self._place.records.change(delivery, state="sent", error="")
        shutil.rmtree(self._place.origins / delivery.origin, ignore_errors=True)
        self._place.audit.write("pacs", "results.send", case.id, destinations=len(sent))

    def _send(self, files: list[Path], destination: Destination) -> None:
        from pydicom import dcmread

        subject = self._place.audit.subject(dcmread(files[0], stop_before_pixels=True), len(files))
        self._place.audit.sending(destination, subject)
        send(files, destination)
        self._place.audit.sent(destination, subject)

    def _files(self, delivery: Delivery, case: Case, destination: Destination) -> list[Path]:
        """The results as DICOM, made where they are not there yet; a folder of them is there whole or not at all."""
        results = self._place.folders.results(case)
        keep = destination.keeps_identity
        folder = results / (FOLDER if keep else DEIDENTIFIED)
        if not folder.is_dir():
            modality = next(iter(case.files))
            source = self._place.origins / delivery.origin
            add_dicom(results, source, modality, deidentifier=None if keep else self._deidentifier)
        return sorted(folder.glob("*.dcm"))

    def _put_off(self, delivery: Delivery, error: str) -> None:
        now = time.time()
        if now - delivery.begun > GIVE_UP_SECONDS:
            self._fail(delivery, error)
            return
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(delivery.attempts, 20))
        self._place.records.change(
            delivery, attempts=delivery.attempts + 1, next_try=now + pause, error=error
        )

    def _fail(self, delivery: Delivery, error: str) -> None:
        self._place.records.change(delivery, state="failed", error=error)
        shutil.rmtree(self._place.origins / delivery.origin, ignore_errors=True)
        self._place.audit.write("pacs", "results.fail", delivery.case)
