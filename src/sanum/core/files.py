"""Writing so that a file is there whole or not at all, and naming content by its hash."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sanum.core.errors import StorageError


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a sibling path to write to; it replaces `path` only when the block ends well.

    The temporary name keeps the suffixes of `path`, because writers choose a format by suffix.

    Raises:
        StorageError: the disk is full or the folder can't be written.
    """
    with _storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".partial-", suffix="-" + path.name, dir=path.parent)
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

    Raises:
        StorageError: the disk is full or the parent folder can't be written.
    """
    with _storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", suffix="-" + path.name, dir=path.parent))
    retired = partial.with_name(partial.name + ".old")
    try:
        with _storage_errors(path):
            yield partial
            partial.chmod(0o777 & ~_umask())
            if path.exists():
                path.rename(retired)
            partial.rename(path)
    finally:
        if retired.exists() and not path.exists():
            retired.rename(path)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(retired, ignore_errors=True)


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


def json_sha256(value: Any) -> str:
    """SHA-256 of a JSON value in canonical form (sorted keys, no spaces), hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _umask() -> int:
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
