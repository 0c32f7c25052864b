"""Uploads on their way in: streamed to disk, hashed, measured and checked before anything is made of them."""

from __future__ import annotations

import errno
import functools
import hashlib
import io
import os
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from flask import Request, Response, current_app, request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge

from sanum.core.config import did_you_mean
from sanum.core.errors import ScanError
from sanum.core.names import modality_of, split_part, with_part
from sanum.core.units import MODALITIES
from sanum.service.bodies import Body, BodySlots
from sanum.service.cases import BRAIN
from sanum.service.limits import Limits
from sanum.service.problems import RequestError
from sanum.service.sniff import DICOM, ZIP, suffix_of
from sanum.service.unpack import unpack

INCOMING = "SANUM_INCOMING"
LIMITS = "SANUM_LIMITS"
BODY_SLOTS = "SANUM_BODY_SLOTS"
"""Keys of the application's config: the folder for uploads, the `Limits`, and the `BodySlots`."""

MOST_HEADERS = 1000
"""DICOM files of one scan whose headers are read while the client waits, some 2 ms each. Where there are more, only
the worker looks."""

READING = ("GET", "HEAD", "OPTIONS")
"""Methods whose requests have no body."""


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


class _Part(io.FileIO):
    """One uploaded file: bytes go to disk as they come, through a hash and past a deadline."""

    def __init__(self, path: Path, deadline: float) -> None:
        super().__init__(path, "x+b")
        self.path = path
        self.digest = hashlib.sha256()
        self._deadline = deadline

    def write(self, content: Any, /) -> int:
        if time.monotonic() > self._deadline:
            raise RequestError(408, "too-slow", "The upload took longer than this service waits.")
        self.digest.update(content)
        try:
            return self._put(content)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise RequestError(
                503, "disk-full", "The service has no room left for uploads; try again later."
            ) from error

    def _put(self, content: Any) -> int:
        return super().write(content)


class StreamingRequest(Request):
    """Keeps every uploaded file in a folder of its own under the service's `incoming/`, never in memory."""

    upload_folder: Path | None = None
    _body: Body | None = None
    _parts = 0
    _deadline = 0.0

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        del total_content_length, content_type, filename, content_length
        if self.upload_folder is None:
            self.upload_folder = Path(current_app.config[INCOMING], uuid.uuid4().hex)
            self.upload_folder.mkdir(mode=0o700)
            self._deadline = time.monotonic() + current_app.config[LIMITS].upload_seconds
        self._parts += 1
        return _Part(self.upload_folder / f"part-{self._parts:02d}", self._deadline)

    def uploads(self) -> dict[str, FileStorage]:
        """Field to file.

        Raises:
            RequestError: 422 for a field that came twice: which was meant nobody knows.
        """
        for fields in (self.files, self.form):
            for name, several in fields.lists():
                if len(several) > 1:
                    told = f"{name[:80]!r} came {len(several)} times; send each field once."
                    raise RequestError(422, "doubled-field", told)
        return {name: several[0] for name, several in self.files.lists()}

    def drop_uploads(self) -> None:
        """Delete what is still there: everything that no case has taken."""
        if self.upload_folder is not None:
            _remove(self.upload_folder)

    def begin(self) -> None:
        """Have the body come within its time, and stop waiting for a client that sends nothing.

        Under gunicorn only, which lends its socket.
        """
        limits = current_app.config[LIMITS]
        connection = self.environ.get("gunicorn.socket")
        if connection is not None:
            connection.settimeout(limits.silent_seconds)
        self._body = Body(self.environ["wsgi.input"], connection, limits.upload_seconds, self.content_length)
        self.environ["wsgi.input"] = self._body

    def end(self, response: Response) -> Response:
        """Have what is left of the body read away once the answer is sent."""
        if self.method not in READING and self._body is not None and "gunicorn.socket" in self.environ:
            response.call_on_close(functools.partial(_slots().drain, self._body))
        return response

    def _load_form_data(self) -> None:
        if "form" in self.__dict__:
            return
        try:
            with _slots().slot():
                super()._load_form_data()
        except RequestEntityTooLarge as error:
            if self._body is None or max(self._body.count, self.content_length or 0) > (
                self.max_content_length or 0
            ):
                raise
            raise RequestError(
                413,
                "too-large",
                f"The form has more than {self.max_form_parts} parts, or more than "
                f"{(self.max_form_memory_size or 0) // 1000} kB of text; send one file a field.",
            ) from error

    @property
    def deadline(self) -> float:
        """On the monotonic clock: when this request must have arrived and been unpacked."""
        return self._deadline


def _slots() -> BodySlots:
    slots: BodySlots = current_app.config[BODY_SLOTS]
    return slots


def streaming_request() -> StreamingRequest:
    """The request being answered."""
    upload = request._get_current_object()  # type: ignore[attr-defined]
    assert isinstance(upload, StreamingRequest)
    return upload


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
        assert isinstance(part, _Part)
        part.close()
        digest.update(f"{modality}:{part.digest.hexdigest()}\n".encode())
        scan = _accept(part.path, modality, arrived.deadline, limits, series)
        _check_size(scan, limits, at_once)
        files[modality] = scan.name
    _only_these(arrived.upload_folder, files)
    digest.update(f"series:{series or ''}\n".encode())
    return Intake(arrived.upload_folder, files, digest.hexdigest())


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


def _remove(folder: Path) -> None:
    """Mostly a file or two lie there, or nothing any more: `shutil.rmtree` takes five times as long for them."""
    try:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    except FileNotFoundError:
        return
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)


def _only_these(folder: Path, files: Mapping[str, str]) -> None:
    kept = {split_part(folder / name)[0].name for name in files.values()}
    for path in folder.iterdir():
        if path.name not in kept:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
