"""Writing so that a file is there whole or not at all, and naming content by its hash."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sanum.core.errors import StorageError
from sanum.core.names import DICOM_SUFFIXES, SCAN_SUFFIXES

_TEXT_HEADER_BYTES = 2**20
_ATTEMPTS = 20
_PARTIAL = ".partial-"
_READING_UMASK = threading.Lock()


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a sibling path to write to; it replaces `path` only when the block ends well.

    The temporary name keeps the suffixes of `path`, because writers choose a format by suffix.

    Raises:
        StorageError: the disk is full or the folder can't be written.
    """
    with _storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=_PARTIAL, suffix="-" + path.name, dir=path.parent)
        os.close(descriptor)
    partial = Path(name)
    try:
        with _storage_errors(path):
            yield partial
            _flush(partial)
            partial.chmod(0o666 & ~_umask())
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a sibling folder to fill; it takes the place of `path` only when the block ends well.

    When two processes do this at a time, the last one's folder stays.

    Raises:
        StorageError: the disk is full or the parent folder can't be written.
    """
    with _storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, suffix="-" + path.name, dir=path.parent))
    try:
        with _storage_errors(path):
            yield partial
            partial.chmod(0o777 & ~_umask())
            _take_place(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _take_place(partial: Path, path: Path) -> None:
    """A folder that is not empty can't be replaced in one call, so another process may come between the two."""
    retired = partial.with_name(partial.name + ".old")
    for attempt in range(_ATTEMPTS):
        with contextlib.suppress(FileNotFoundError):
            path.rename(retired)
        try:
            partial.rename(path)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY) or attempt == _ATTEMPTS - 1:
                with contextlib.suppress(OSError):
                    retired.rename(path)
                raise
        else:
            return
        finally:
            shutil.rmtree(retired, ignore_errors=True)


def move_folder(source: Path, target: Path) -> None:
    """Move a folder within a file system, in place of a folder that is there.

    Raises:
        StorageError: it can't be moved.
    """
    with _storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            shutil.rmtree(target)
        source.rename(target)


def remove_partials(folder: Path, older_than: float) -> None:
    """Remove what killed processes left half-written in a folder.

    Args:
        folder: may be missing.
        older_than: seconds; younger ones may still be written to.
    """
    limit = time.time() - older_than
    for partial in folder.glob(f"{_PARTIAL}*"):
        with contextlib.suppress(FileNotFoundError):
            if partial.stat().st_mtime < limit:
                shutil.rmtree(partial) if partial.is_dir() else partial.unlink()


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically; NaN is refused because it is not JSON."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content_sha256(path: Path) -> str:
    """SHA-256 of everything that a scan is made of, hexadecimal.

    That is one file, a header with its detached voxels, or all files of a folder whatever their names.
    """
    if path.is_dir():
        return json_sha256(sorted(file_sha256(file) for file in path.rglob("*") if file.is_file()))
    data = detached_data(path)
    if data is None or not data.is_file():
        return file_sha256(path)
    return json_sha256([file_sha256(path), file_sha256(data)])


def detached_data(path: Path) -> Path | None:
    """The file of voxels that a NRRD or MetaImage header (.nhdr, .mhd) names; None for any other file."""
    if path.suffix.lower() not in (".nhdr", ".mhd"):
        return None
    with path.open("rb") as stream:
        text = stream.read(_TEXT_HEADER_BYTES).decode("latin-1")
    named = re.search(r"^(?:data ?file:|ElementDataFile *=)[ \t]*(.+?)[ \t\r]*$", text, re.MULTILINE)
    return None if named is None or named.group(1) == "LOCAL" else path.parent / named.group(1)


def is_dicom(path: Path) -> bool:
    """Whether a file starts as every DICOM file does; a folder, whether some file right inside it does."""
    if path.is_dir():
        return any(is_dicom(file) for file in sorted(path.iterdir()) if _may_be_dicom(file))
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def holds_dicom(folder: Path) -> bool:
    """Whether DICOM files lie in a folder or in one below it."""
    return is_dicom(folder) or any(is_dicom(path) for path in sorted(folder.rglob("*")) if path.is_dir())


def _may_be_dicom(file: Path) -> bool:
    other = file.name.lower().endswith(SCAN_SUFFIXES) and not file.name.lower().endswith(DICOM_SUFFIXES)
    return not other and not file.name.startswith(".") and file.is_file()


def json_sha256(value: Any) -> str:
    """SHA-256 of a JSON value in canonical form (sorted keys, no spaces), hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _umask() -> int:
    """It can only be read by setting it: two threads that did so at once could leave the other's 0 behind."""
    with _READING_UMASK:
        mask = os.umask(0)
        os.umask(mask)
    return mask


def _flush(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


@contextlib.contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError) and error.filename is not None:
            known = Path(str(error.filename))
            if known.parent != path.parent:
                raise
        reason = error.strerror or str(error)
        raise StorageError(
            f"{path}: could not be written ({reason}); free space or choose another folder"
        ) from error
