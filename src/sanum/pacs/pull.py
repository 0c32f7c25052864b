"""Asking a DICOMweb service for studies: QIDO-RS says which, WADO-RS gives them, and they go the way of received ones."""

from __future__ import annotations

import contextlib
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sanum.core.errors import ScanError
from sanum.pacs.config import Source
from sanum.pacs.received import ReceivedStudies, StoreError
from sanum.pacs.records import Records
from sanum.pacs.sending import limited_session
from sanum.pacs.trail import Trail
from sanum.service.faults import fault_of

STUDY_UID, SERIES_UID, INSTANCE_UID = "0020000D", "0020000E", "00080018"
SERIES_MODALITY, INSTANCES = "00080060", "00201209"
MODALITIES = ("MR", "CT")


class Puller:
    """Asks one source.

    Args:
        source: where and what.
        studies: where instances go.
        records: what was pulled before.
        trail: told of each study.
    """

    def __init__(self, source: Source, studies: ReceivedStudies, records: Records, trail: Trail) -> None:
        self._source = source
        self._studies = studies
        self._records = records
        self._trail = trail
        self._last: Any = None

    def run_once(self) -> int:
        """Pull every study that is new or has grown; how many instances were new.

        Raises:
            ScanError: the service does not answer, or not as it should.
        """
        with self._asking() as client:
            found = client.search_for_studies(search_filters=self._source.filters)
            return sum(self._grown(client, _value(study, STUDY_UID)) for study in found)

    def fill(self, study: str) -> int:
        """Pull what is not here of one study; how many instances were new, 0 where the service does not know the study.

        Raises:
            ScanError: the service does not answer, or not as it should.
        """
        with self._asking() as client:
            known = client.search_for_studies(search_filters={"StudyInstanceUID": study})
            return self._study(client, study, self._listed(client, study)) if known else 0

    @contextlib.contextmanager
    def _asking(self) -> Iterator[Any]:
        from dicomweb_client.api import DICOMwebClient

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote values, which may be names
            try:
                yield DICOMwebClient(self._source.url, session=limited_session())
            except Exception as error:  # the client raises errors of its own, of HTTP and of sockets
                if fault_of(error) is not None:
                    raise
                raise ScanError(
                    f"source {self._source.name}: no proper answer ({type(error).__name__}); "
                    "check its url and that it runs"
                ) from error

    def _listed(self, client: Any, study: str) -> list[dict[str, Any]]:
        """The series of a study that can be judged."""
        found = client.search_for_series(study)
        return [one for one in found if _value(one, SERIES_MODALITY) in MODALITIES]

    def _grown(self, client: Any, study: str) -> int:
        series = self._listed(client, study)
        count = sum(int(_value(one, INSTANCES) or 0) for one in series)
        key = uuid.uuid5(uuid.NAMESPACE_OID, study).hex
        if count <= self._records.pulled(self._source.name, key):
            return 0
        new = self._study(client, study, series)
        self._records.note_pulled(self._source.name, key, count)
        return new

    def _study(self, client: Any, study: str, series: list[dict[str, Any]]) -> int:
        new = sum(self._series(client, study, _value(one, SERIES_UID)) for one in series)
        if new:
            self._trail.pulled(self._source, self._trail.subject(self._last, new))
        return new

    def _series(self, client: Any, study: str, series: str) -> int:
        """What is here already, because it was sent, is not asked for."""
        uids = [_value(one, INSTANCE_UID) for one in client.search_for_instances(study, series)]
        wanted = [uid for uid in uids if not self._studies.has(study, uid)]
        return sum(self._keep(client.retrieve_instance(study, series, uid)) for uid in wanted)

    def _keep(self, dataset: Any) -> bool:
        file = Path(self._studies.incoming, f"pulled-{uuid.uuid4().hex}.dcm")
        dataset.save_as(file, enforce_file_format=True)
        try:
            self._last = dataset
            return self._studies.keep(file, dataset)
        except StoreError as error:
            self._trail.write("pacs", "instance.refuse", status=error.status)
            return False


def _value(item: dict[str, Any], tag: str) -> str:
    values = item.get(tag, {}).get("Value") or [""]
    return str(values[0])
