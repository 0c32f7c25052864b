"""From a complete study to a case in the service's queue, by the rules."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread

from sanum.core.errors import ScanError
from sanum.core.header import read_header, taken_modalities
from sanum.core.modalities import AnyOf
from sanum.core.shipped import find_model
from sanum.formats import inspect_scan
from sanum.pacs.config import PacsConfig, Rule
from sanum.pacs.pull import Puller
from sanum.pacs.received import ReceivedStudies, Study
from sanum.pacs.records import Records
from sanum.pacs.trail import Trail
from sanum.service.case_folder import CaseFolders
from sanum.service.cases import Submission
from sanum.service.faults import fault_of
from sanum.service.jobs import JobQueue, QueueFullError

SUBMITTER = "pacs"
TAGS = ("Modality", "SeriesDescription", "PatientAge", "SeriesInstanceUID")
KEEP_SECONDS = 86_400.0
"""A study that has come and whose results were sent is kept so long, for late instances."""

STUDY_UID = "StudyInstanceUID"

FAILED_SECONDS, SILENT_SECONDS = 60.0, 5.0
"""A study that can't be routed, or whose source does not answer, is tried again after so long."""


@dataclass(frozen=True)
class Place:
    """Where a listener works: its folders, its queue and its records."""

    studies: ReceivedStudies
    folders: CaseFolders
    origins: Path
    queue: JobQueue
    records: Records
    audit: Trail


class Router:
    """Routes studies.

    Args:
        config: rules and limits.
        place: see there.
        sources: asked, before a study is judged, whether they have more of it.
    """

    def __init__(self, config: PacsConfig, place: Place, sources: Sequence[Puller] = ()) -> None:
        self._config = config
        self._place = place
        self._sources = tuple(sources)
        self._models = {rule.name: find_model(Path(rule.model)) for rule in config.rules}
        self._not_before: dict[str, float] = {}
        place.origins.mkdir(parents=True, exist_ok=True, mode=0o700)

    def run_once(self) -> None:
        """Route every study that is complete and was not yet, and forget the old ones."""
        now = time.time()
        for study in self._place.studies.complete(now):
            before = self._place.records.routed(study.key)
            if before is None or self._again(study, before, now):
                if self._routed(study):
                    self._place.records.note_routed(study.key, study.last, now)
            elif now - study.last > KEEP_SECONDS and not self._place.records.is_open(study.key):
                self._place.studies.forget(study.key)
                self._place.records.forget(study.key)

    def _again(self, study: Study, before: tuple[float, float], now: float) -> bool:
        """Whether there is something new, and no more of it is about to come or it has been coming for too long."""
        last, routed = before
        limits = self._config.listener
        waited = now - study.last >= limits.quiet_seconds or now - routed >= limits.longest_seconds
        return study.last > last and waited

    def _routed(self, study: Study) -> bool:
        """Whether a study was put into the queue. One that fails waits before its next turn, and others need not."""
        if time.monotonic() < self._not_before.get(study.key, 0.0):
            return False
        try:
            return self._is_whole(study) and self._route(study)
        except Exception as error:
            if fault_of(error) is not None:
                raise
            self._not_before[study.key] = time.monotonic() + FAILED_SECONDS
            self._place.audit.write("pacs", "study.fail", study=study.key, error=type(error).__name__)
            return False

    def _is_whole(self, study: Study) -> bool:
        """Whether no source has more of a study: a sender that was killed in the midst may not send the rest. What is
        pulled now makes it wait for the quiet time again; a silent source holds it up for the longest time at most."""
        uid = str(dcmread(self._place.studies.files(study)[0], specific_tags=[STUDY_UID]).StudyInstanceUID)
        try:
            return sum(source.fill(uid) for source in self._sources) == 0
        except ScanError:
            self._not_before[study.key] = time.monotonic() + SILENT_SECONDS
            return time.time() - study.first >= self._config.listener.longest_seconds

    def _route(self, study: Study) -> bool:
        """Put a case into the queue for each rule that fits; False where the queue is full, so that it is tried again."""
        told = [(file, dcmread(file, specific_tags=list(TAGS))) for file in self._place.studies.files(study)]
        fitted = 0
        for rule in self._config.rules:
            files = [file for file, header in told if fits(rule, header)]
            if not files:
                continue
            try:
                self._submit(study, rule, files)
            except QueueFullError:
                return False
            fitted += 1
        self._place.audit.write("pacs", "study.route", study=study.key, instances=len(told), rules=fitted)
        return True

    def _submit(self, study: Study, rule: Rule, files: Sequence[Path]) -> None:
        """Safe to do twice: the key names the rule and the instances, and the queue knows keys that it has."""
        model = self._models[rule.name]
        key = _key(study.key, rule.name, *(file.name for file in files))
        place = self._place
        _link(files, place.origins / key)
        modalities = _shown(place.origins / key, taken_modalities(read_header(model)))
        incoming = place.folders.incoming / uuid.uuid4().hex
        for modality in modalities:
            _link(files, incoming / modality)
        submission = Submission(
            model=model.stem,
            submitter=SUBMITTER,
            files={modality: modality for modality in modalities},
            content_sha256=key,
            idempotency_key=key,
            study=study.key,
        )
        place.folders.accept(submission.id, incoming)
        kept = False
        try:
            case, kept = place.queue.submit(submission)
        finally:
            if not kept:
                place.folders.delete(submission.id)
        if place.records.expect(case.id, study.key, rule.name, key, time.time()):
            place.audit.write("pacs", "case.submit", case.id, rule=rule.name)


def fits(rule: Rule, header: Any) -> bool:
    """Whether an instance passes a rule's filters."""
    if rule.modality is not None and header.get("Modality") != rule.modality:
        return False
    description = str(header.get("SeriesDescription") or "")
    if rule.description is not None and not re.search(rule.description, description, re.IGNORECASE):
        return False
    if rule.age is None:
        return True
    age = _years(str(header.get("PatientAge") or ""))
    return age is not None and rule.age[0] <= age <= rule.age[1]


def _shown(study: Path, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Of a model that judges any of its modalities those that a study shows, so that it need not refuse the others."""
    if not isinstance(wanted, AnyOf):
        return wanted
    try:
        series = inspect_scan(study)["series"]
    except ScanError:
        return wanted  # it is refused, and then told why
    taken = {modality for one in series for modality in one.get("taken_for", ())}
    return tuple(name for name in wanted if name in taken) or wanted


def _years(text: str) -> float | None:
    told = re.fullmatch(r"(\d{3})([DWMY])", text)
    return (
        None
        if told is None
        else int(told.group(1)) / {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}[told.group(2)]
    )


def _link(files: Sequence[Path], folder: Path) -> None:
    """A folder with second names of the files: no byte is copied, and it is there whole or not at all."""
    if folder.exists():
        return
    partial = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}")
    partial.mkdir(parents=True, mode=0o700)
    for file in files:
        (partial / file.name).hardlink_to(file)
    descriptor = os.open(partial, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    try:
        partial.rename(folder)
    except OSError:
        shutil.rmtree(partial)
        if not folder.exists():
            raise


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
