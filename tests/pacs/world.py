"""A listener taken apart: folders, queue, router and carrier in this process, with a judge that says what it is told."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sanum.dicom.deidentify import Deidentifier
from sanum.pacs.config import Destination, Listener, PacsConfig, Rule
from sanum.pacs.delivery import Carrier
from sanum.pacs.received import ReceivedStudies
from sanum.pacs.records import Records
from sanum.pacs.router import Place, Router
from sanum.pacs.trail import Trail
from sanum.service import cases, database
from sanum.service.case_folder import CaseFolders
from sanum.service.case_judge import Judge, Verdict, attempt
from sanum.service.jobs import JobQueue
from tests.detections import refused
from tests.dicom.test_results import saved
from tests.service.fakes import _empty_database

LISTENER = Listener(quiet_seconds=0.0, free_gb=0.0)
RULE = Rule("t1", "sanum-t1-restore", modality="MR", send_to=("pacs",))
PACS = Destination("pacs", url="http://127.0.0.1:1")


class RefusingJudge(Judge):
    """Refuses every case at once."""

    def __init__(self) -> None:
        super().__init__({})

    def judge(
        self,
        model: str,
        case: str,
        files: Mapping[str, Path],
        results: Path,
        on_stage: Callable[[str], None],
        *,
        as_called: bool = False,
    ) -> Verdict:
        saved(refused("too small to be judged"), results)
        return Verdict("refused", "too small to be judged", None, None, None)


class World:
    """See the module.

    Args:
        folder: for everything.
        config: rules, destinations and limits.
        limit: cases that may wait.
        deidentifier: of what is received.
        sources: of the router.
    """

    def __init__(
        self,
        folder: Path,
        config: PacsConfig | None = None,
        limit: int = 1000,
        deidentifier: Deidentifier | None = None,
        sources: Sequence[Any] = (),
    ) -> None:
        self.data = folder / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        if not (self.data / "service.sqlite").exists():
            shutil.copy(_empty_database(), self.data / "service.sqlite")
        self.engine = database.open_database(database.default_url(self.data))
        self.config = config or PacsConfig(LISTENER, (), (RULE,), (PACS,))
        self.place = Place(
            ReceivedStudies(self.data, self.config.listener, deidentifier),
            CaseFolders(self.data),
            self.data / "pacs" / "origins",
            JobQueue(self.engine, limit),
            Records(self.engine),
            Trail(self.data / "audit.log", self.config, Deidentifier(b"s" * 32)),
        )
        self.router = Router(self.config, self.place, sources)
        self.carrier = Carrier(self.config, self.place, self.engine, Deidentifier(b"s" * 32))

    def receive(self, datasets) -> None:
        for one in datasets:
            file = self.place.studies.incoming / f"{one.SOPInstanceUID}.dcm"
            one.save_as(file, enforce_file_format=True)
            self.place.studies.keep(file, one)

    def cases(self) -> list[cases.Case]:
        return list(cases.list_page(self.engine, cases.CaseFilter(), limit=100).cases)

    def judge(self, judge: Judge | None = None) -> None:
        """Judge every case that waits."""
        for case in self.cases():
            begun = None if case.ended else cases.begin(self.engine, case.id)
            if begun is not None:
                attempt(self.engine, self.place.folders, judge or RefusingJudge(), begun)

    def deliveries(self):
        return self.place.records.all()

    def wait_no_longer(self) -> None:
        """Let every delivery be due now."""
        for one in self.deliveries():
            self.place.records.change(one, next_try=time.time())
