"""Uploads on their way in: streamed to disk, hashed, measured and checked before anything is made of them."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from werkzeug.datastructures import FileStorage

from sanum.core.config import did_you_mean
from sanum.core.errors import ScanError
from sanum.core.names import modality_of, split_part, with_part
from sanum.core.units import MODALITIES
from sanum.service.cases import BRAIN
from sanum.service.limits import Limits
from sanum.service.problems import RequestError
from sanum.service.sniff import DICOM, ZIP, suffix_of
from sanum.service.streaming import Part, StreamingRequest
from sanum.service.unpack import unpack

MOST_HEADERS = 1000
"""DICOM files of one scan whose headers are read while the client waits, some 2 ms each. Where there are more, only
the worker looks."""


@dataclass(frozen=True)
class Intake:
    """Files that arrived whole and look like scans.

    Attributes:
        folder: holds nothing but them.
        files: modality, or `BRAIN`, to file name in the folder; after `#` the series that is meant.
        sha256: over modalities and contents.
    """

    folder: Path
    files: dict[str, str]
    sha256: str

    def make_durable(self) -> None:
        """Have the disk hold the files, so that a case that is accepted survives a power cut too."""
        for path in (*self.folder.rglob("*"), self.folder):
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)

    def paths(self) -> dict[str, Path]:
        """Modality to path, without the brain mask."""
        return {modality: self.folder / name for modality, name in self.files.items() if modality != BRAIN}

    @property
    def brain(self) -> Path | None:
        """The brain mask, where one was sent."""
        return self.folder / self.files[BRAIN] if BRAIN in self.files else None


def take_in(
    arrived: StreamingRequest,
    uploads: Mapping[str, FileStorage],
    single: str | None,
    limits: Limits,
    series: str | None = None,
    *,
    at_once: bool = False,
) -> Intake:
    """Give uploaded files names of our own and look at their headers.

    Args:
        arrived: whose files they are.
        uploads: field name to file; a field is a modality, "file" for the only one, or `BRAIN`.
        single: modality of the field "file".
        limits: see there.
        series: of DICOM uploads, the one that is meant.
        at_once: they are judged in this process.

    Raises:
        RequestError: 400 for missing or doubled files, 415 for what is no scan, 413 for too much of one,
            422 for one that is damaged.
    """
    if not uploads or arrived.upload_folder is None:
        raise RequestError(
            400, "no-file", f"Expected a file, in the field 'file' or one of {', '.join(MODALITIES)}."
        )
    files: dict[str, str] = {}
    digest = hashlib.sha256()
    for field, upload in sorted(uploads.items()):
        modality = _modality(field, upload.filename or "", single)
        if modality in files:
            raise RequestError(400, "two-files", f"Two files for {modality}; send one a modality.")
        part = upload.stream
        assert isinstance(part, Part)
        part.close()
        digest.update(f"{modality}:{part.digest.hexdigest()}\n".encode())
        scan = _accept(part.path, modality, arrived.deadline, limits, series)
        _check_size(scan, limits, at_once)
        files[modality] = scan.name
    _only_these(arrived.upload_folder, files)
    digest.update(f"series:{series or ''}\n".encode())
    return Intake(arrived.upload_folder, files, digest.hexdigest())


def take_in_one(arrived: StreamingRequest, upload: FileStorage, modality: str, limits: Limits) -> Intake:
    """One of several files in one field, each a case of its own, in a folder of its own.

    Raises:
        RequestError: as `take_in`.
    """
    part = upload.stream
    assert isinstance(part, Part)
    part.close()
    folder = part.path.with_name(f"{part.path.name}-case")
    folder.mkdir(mode=0o700)
    _modality("file", upload.filename or "", modality)
    scan = _accept(part.path.rename(folder / part.path.name), modality, arrived.deadline, limits, None)
    _check_size(scan, limits, at_once=True)
    return Intake(folder, {modality: scan.name}, part.digest.hexdigest())


def _modality(field: str, name: str, single: str | None) -> str:
    """What a file shows: its field says, or the model's only modality; the client's name may not contradict."""
    if field == BRAIN:
        return BRAIN
    if field not in ("file", *MODALITIES):
        told = f"{field[:80]!r}: not a field for files; {did_you_mean(field, MODALITIES)}"
        raise RequestError(422, "invalid-request", told)
    if field == "file" and single is None:
        raise RequestError(
            400,
            "which-modality",
            "This model takes several scans of each case; name each file's field by its modality.",
        )
    modality = single if field == "file" and single is not None else field
    named = modality_of(Path(name))
    if named is not None and named != modality:
        raise RequestError(
            422,
            "scan-refused",
            f"The file's name says {named}, but it was sent as {modality}; correct one of them.",
        )
    return modality


def _accept(path: Path, modality: str, deadline: float, limits: Limits, series: str | None) -> Path:
    """Name the file by what it shows, and unpack it; its path, with the series."""
    suffix = suffix_of(path)
    if path.stat().st_size == 0:
        raise RequestError(400, "empty-file", f"The file for {modality} is empty.")
    if suffix is None:
        raise RequestError(
            415,
            "unknown-format",
            f"The file for {modality} is no NIfTI or MGH volume, DICOM, PNG, JPEG, TIFF, .npy or zip file.",
        )
    target = path.with_name(modality)
    if suffix == ZIP:
        scan = unpack(path, target, most_bytes=limits.unpacked_mb * 1e6, deadline=deadline)
    else:
        scan = path.rename(target.with_name(modality + suffix))
    part = series if modality != BRAIN and (scan.is_dir() or scan.suffix == DICOM) else None
    return with_part(scan, part)


def _check_size(scan: Path, limits: Limits, at_once: bool) -> None:
    """Refuse what its own header says is too large or is no geometry; no voxel is read."""
    from sanum.formats import read_grid

    folder = split_part(scan)[0]
    many = folder.is_dir() and sum(1 for _ in folder.iterdir()) > MOST_HEADERS
    if many and at_once:
        raise _too_many_voxels(f"more than {MOST_HEADERS:,} DICOM files", at_once)
    if many:
        return
    try:
        i, j, k = read_grid(scan).shape
    except ScanError as error:
        if folder.is_dir():
            return  # which of its series is meant, and whether one fits, the model's reader says
        raise RequestError(422, "scan-refused", str(error).replace(f"{scan.parent}/", "")) from error
    what = f"{scan.name}: {i} x {j} x {k} voxels"
    if i * j * k > limits.voxels or 4 * i * j * k > limits.unpacked_mb * 1e6:
        raise _too_many_voxels(what, at_once=False)
    if at_once and i * j * k > limits.predict_voxels:
        raise _too_many_voxels(what, at_once)


def _too_many_voxels(what: str, at_once: bool) -> RequestError:
    told = "are judged at once; send it to /v1/cases" if at_once else "this service takes"
    return RequestError(413, "too-large", f"{what} are more than {told}.")


def _only_these(folder: Path, files: Mapping[str, str]) -> None:
    kept = {split_part(folder / name)[0].name for name in files.values()}
    for path in folder.iterdir():
        if path.name not in kept:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
