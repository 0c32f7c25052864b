"""The request as the service reads it: files go to a folder as they come, hashed and past a deadline."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import io
import os
import shutil
import time
import uuid
from pathlib import Path
from typing import IO, Any

from flask import Request, Response, current_app, request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge

from sanum.service.bodies import Body, BodySlots
from sanum.service.problems import RequestError

INCOMING = "SANUM_INCOMING"
LIMITS = "SANUM_LIMITS"
BODY_SLOTS = "SANUM_BODY_SLOTS"
"""Keys of the application's config: the folder for uploads, the `Limits`, and the `BodySlots`."""

MEMORY = Path("/dev/shm")
"""Where small bodies go that nobody keeps: files there are memory, and cost a tenth of those on a disk."""

SMALL_BODY = 8_000_000
"""Bytes of a body up to which it is small."""

LEFTOVER_SECONDS = 3600.0
"""A folder in memory that is older was left by a process that was killed."""

_PREFIX = "sanum-upload-"

READING = ("GET", "HEAD", "OPTIONS")
"""Methods whose requests have no body."""


class Part(io.FileIO):
    """One uploaded file: bytes go to disk as they come, through a hash and past a deadline."""

    def __init__(self, path: Path, deadline: float) -> None:
        super().__init__(path, "x+b")
        self.path = path
        self.digest = hashlib.sha256()
        self._deadline = deadline

    def write(self, content: Any, /) -> int:
        """Keep some bytes.

        Raises:
            RequestError: 408 past the deadline, 503 for a full disk.
        """
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
        del content_type, filename, content_length
        if self.upload_folder is None:
            small = total_content_length is not None and total_content_length <= SMALL_BODY
            self.upload_folder = _folder(self.path, small)
            self.upload_folder.mkdir(mode=0o700)
            self._deadline = time.monotonic() + current_app.config[LIMITS].upload_seconds
        self._parts += 1
        return Part(self.upload_folder / f"part-{self._parts:02d}", self._deadline)

    def uploads(self, many: str = "") -> dict[str, FileStorage]:
        """Field to file; the first one of the field that may come many times.

        Raises:
            RequestError: 422 for another field that came twice: which was meant nobody knows.
        """
        for fields in (self.files, self.form):
            for name, several in fields.lists():
                if len(several) > 1 and name != many:
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


def _folder(path: str, small: bool) -> Path:
    """In memory for what is judged at once and kept nowhere, where the system has such a place."""
    if small and path.startswith("/v1/predict") and os.access(MEMORY, os.W_OK):
        return MEMORY / f"{_PREFIX}{uuid.uuid4().hex}"
    return Path(current_app.config[INCOMING], uuid.uuid4().hex)


def sweep_memory(now: float) -> None:
    """Delete what a process that was killed left in memory; once, as a service starts."""
    for left in MEMORY.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if left.stat().st_mtime < now - LEFTOVER_SECONDS:
                shutil.rmtree(left)


def _slots() -> BodySlots:
    slots: BodySlots = current_app.config[BODY_SLOTS]
    return slots


def streaming_request() -> StreamingRequest:
    """The request being answered."""
    upload = request._get_current_object()  # type: ignore[attr-defined]
    assert isinstance(upload, StreamingRequest)
    return upload


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
