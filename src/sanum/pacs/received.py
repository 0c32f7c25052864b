"""Instances on disk: each is there whole before its sender is told so, and under names of our own."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.filereader import read_file_meta_info

from sanum.core.errors import ScanError
from sanum.dicom.deidentify import Deidentifier
from sanum.pacs.config import Listener
from sanum.service.cases import study_key

INCOMING_SECONDS = 3600.0
"""Files that a killed process left half-received are deleted after so long."""


class StoreError(Exception):
    """An instance that is not kept. `status` is what the sender is told, after DICOM PS3.4 B.2.3 and PS3.7 annex C."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(told)
        self.status = status


META_START = 128 + 4 + 12
"""Bytes of a DICOM file before what its file meta group length counts: preamble, prefix and that length."""

OUT_OF_RESOURCES = 0xA700
MISMATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
DUPLICATE = 0x0111
NOT_AUTHORISED = 0x0124


@dataclass(frozen=True)
class Study:
    """A study on disk: `study_key`, folder, and when its first and its last instance came (seconds since 1970)."""

    key: str
    folder: Path
    first: float
    last: float


class ReceivedStudies:
    """The folder `pacs/studies` of a service's data folder: `<hash of study UID>/<hash of SOP UID>.dcm`.

    Several processes may share it.

    Args:
        data: the service's data folder.
        limits: most of a study, and of the disk.
        deidentifier: takes identities out before anything is kept; None keeps them.
    """

    def __init__(self, data: Path, limits: Listener, deidentifier: Deidentifier | None = None) -> None:
        self._studies = data.resolve() / "pacs" / "studies"
        self.incoming = data.resolve() / "pacs" / "incoming"
        self._limits = limits
        self._deidentifier = deidentifier
        self._lock = threading.Lock()
        self._sizes: dict[str, tuple[int, int]] = {}
        for folder in (self._studies, self.incoming):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def keep(self, file: Path, header: Any) -> bool:
        """Take a received file, on disk for good when this returns.

        Args:
            file: a whole DICOM file in `incoming`; it is moved or deleted.
            header: its data set, without pixels.

        Returns:
            Whether it is new; False where the same file came before.

        Raises:
            StoreError: another file of this SOP instance, another patient's, too much, or identities that can't be
                taken out.
        """
        if self._deidentifier is not None:
            file, header = self._without_identity(file, self._deidentifier)
        study, instance = study_key(str(header.get("StudyInstanceUID"))), _key(header.get("SOPInstanceUID"))
        try:
            with self._lock:
                return self._keep(file, study, instance, _key(_patient(header)))
        finally:
            file.unlink(missing_ok=True)

    def has(self, study: str, instance: str) -> bool:
        """Whether an instance is here, by the UIDs that its sender knows."""
        if self._deidentifier is not None:
            study, instance = self._deidentifier.uid(study), self._deidentifier.uid(instance)
        return (self._studies / study_key(study) / f"{_key(instance)}.dcm").is_file()

    def complete(self, now: float) -> list[Study]:
        """Studies to which nothing was added for the quiet time, or that have been arriving for too long."""
        quiet, longest = self._limits.quiet_seconds, self._limits.longest_seconds
        return [one for one in self._all() if now - one.last >= quiet or now - one.first >= longest]

    def files(self, study: Study) -> list[Path]:
        """Its instances."""
        return sorted(study.folder.glob("*.dcm"))

    def forget(self, key: str) -> None:
        """Delete a study."""
        with self._lock:
            self._sizes.pop(key, None)
            shutil.rmtree(self._studies / key, ignore_errors=True)

    def sweep(self) -> None:
        """Delete what killed processes left half-received."""
        limit = time.time() - INCOMING_SECONDS
        for left in self.incoming.iterdir():
            if left.stat().st_mtime < limit:
                left.unlink(missing_ok=True)

    def _without_identity(self, file: Path, deidentifier: Deidentifier) -> tuple[Path, Any]:
        try:
            clean = deidentifier.file(file)
        except ScanError as error:
            raise StoreError(CANNOT_UNDERSTAND, str(error)) from error
        finally:
            file.unlink(missing_ok=True)
        return clean, dcmread(clean, stop_before_pixels=True)

    def _keep(self, file: Path, study: str, instance: str, patient: str) -> bool:
        folder, size = self._studies / study, file.stat().st_size
        target = folder / f"{instance}.dcm"
        if target.exists():
            return _same(target, file)
        count, total = self._sizes.get(study) or _measured(folder)
        self._check_room(count + 1, total + size)
        _begin(folder, patient)
        _flush(file)
        try:
            target.hardlink_to(file)
        except FileExistsError:  # another process was faster
            return _same(target, file)
        _flush(folder)
        self._sizes[study] = (count + 1, total + size)
        return True

    def _check_room(self, count: int, total: int) -> None:
        if count > self._limits.most_instances or total > self._limits.most_gb * 2**30:
            raise StoreError(OUT_OF_RESOURCES, "more of one study than is taken")
        if shutil.disk_usage(self._studies).free < self._limits.free_gb * 2**30:
            raise StoreError(OUT_OF_RESOURCES, "no room on the disk")

    def _all(self) -> list[Study]:
        found = []
        for folder in self._studies.iterdir():
            begun = folder / "begun.json"
            if begun.is_file():
                first = float(json.loads(begun.read_text())["first"])
                found.append(Study(folder.name, folder, first, folder.stat().st_mtime))
        return found


def _same(target: Path, file: Path) -> bool:
    """False, since a file that is the same is not new.

    Raises:
        StoreError: it is another one.
    """
    if _content_sha256(target) != _content_sha256(file):
        raise StoreError(DUPLICATE, "another object of this SOP instance UID is here")
    return False


def _content_sha256(path: Path) -> str:
    """Of a file without its file meta information, in which each program that handed it on has put its own name."""
    meta = read_file_meta_info(path)
    digest = hashlib.sha256(str(meta.TransferSyntaxUID).encode())
    with path.open("rb") as stream:
        stream.seek(META_START + meta.FileMetaInformationGroupLength)
        while part := stream.read(2**20):
            digest.update(part)
    return digest.hexdigest()


def _begin(folder: Path, patient: str) -> None:
    """Note when a study began and whose it is, or compare with what was noted.

    Raises:
        StoreError: the study is another patient's.
    """
    begun = folder / "begun.json"
    if not begun.exists():
        folder.mkdir(mode=0o700, exist_ok=True)
        partial = folder / f".begun-{os.getpid()}"
        partial.write_text(json.dumps({"first": time.time(), "patient": patient}))
        _flush(partial)
        with contextlib.suppress(FileExistsError):  # another process was faster
            begun.hardlink_to(partial)
        partial.unlink()
        _flush(folder.parent)
    if json.loads(begun.read_text())["patient"] != patient:
        raise StoreError(CANNOT_UNDERSTAND, "the study holds another patient's instances")


def _measured(folder: Path) -> tuple[int, int]:
    sizes = [file.stat().st_size for file in folder.glob("*.dcm")] if folder.is_dir() else []
    return len(sizes), sum(sizes)


def _patient(header: Any) -> str:
    return str(header.get("PatientID") or header.get("PatientName") or "")


def _key(text: object) -> str:
    return hashlib.sha256(str(text).encode()).hexdigest()[:32]


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
