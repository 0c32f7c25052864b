"""Archives: unpacked under names of our own, by count, bytes and time, whatever they promise about themselves."""

from __future__ import annotations

import time
import zipfile
import zlib
from pathlib import Path

from sanum.service.problems import RequestError
from sanum.service.sniff import DICOM, ZIP, suffix_of

MOST_MEMBERS = 20_000
"""A series of thin slices has at most some thousands."""

_CHUNK = 1 << 20

_ENTRY = b"PK\x01\x02"
"""Begins each entry of an archive's directory."""


def unpack(archive: Path, target: Path, *, most_bytes: float, deadline: float) -> Path:
    """Unpack the scan in a zip file: one volume or image, or the DICOM files of one series.

    Member names never reach the file system, and members that are no scans are left out.

    Args:
        archive: the zip file; it is deleted.
        target: where the scan goes, without suffix.
        most_bytes: that all members together may hold once unpacked.
        deadline: on the monotonic clock.

    Returns:
        The scan's file, or the folder of DICOM files.

    Raises:
        RequestError: 413 for more bytes or members than allowed, 408 past the deadline, 422 for an archive
            that is damaged, encrypted, or holds no scan or several.
    """
    _count_entries(archive)
    folder = target.with_name(target.name + "-members")
    folder.mkdir()
    try:
        with zipfile.ZipFile(archive) as opened:
            _extract(opened, folder, most_bytes, deadline)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
        ValueError,
    ) as error:
        raise _refused(
            f"The archive can't be unpacked ({error}); make it again without encryption."
        ) from error
    archive.unlink()
    return _choose(folder, target)


def _count_entries(archive: Path) -> None:
    """Before `zipfile` sees it: that reads the whole directory into memory, some 300 bytes for each 47 sent."""
    count, end = 0, b""
    with archive.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            count += (end + chunk).count(_ENTRY)
            end = chunk[-len(_ENTRY) + 1 :]
            if (
                count > 2 * MOST_MEMBERS
            ):  # folders count here, and a stored archive within may hold the mark too
                raise _too_many()


def _too_many() -> RequestError:
    return RequestError(413, "too-large", f"The archive holds more than {MOST_MEMBERS:,} files.")


def _extract(archive: zipfile.ZipFile, folder: Path, most_bytes: float, deadline: float) -> None:
    members = [member for member in archive.infolist() if not member.filename.endswith("/")]
    if len(members) > MOST_MEMBERS:
        raise _too_many()
    left = most_bytes
    for number, member in enumerate(members):
        path = folder / f"{number:06d}"
        with archive.open(member) as source, path.open("xb") as sink:
            while chunk := source.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise RequestError(
                        413,
                        "too-large",
                        f"The archive holds more than {most_bytes / 1e6:,.0f} MB once unpacked.",
                    )
                if time.monotonic() > deadline:
                    raise RequestError(408, "too-slow", "The archive took too long to unpack.")
                sink.write(chunk)
        suffix = suffix_of(path)
        if suffix is None or suffix == ZIP:
            path.unlink()
        else:
            path.rename(folder / f"{number:06d}{suffix}")


def _choose(folder: Path, target: Path) -> Path:
    found = sorted(folder.iterdir())
    if found and all(path.suffix == DICOM for path in found):
        return folder.rename(target)
    scans = [path for path in found if path.suffix != DICOM]
    if len(scans) != 1:
        raise _refused(
            f"The archive holds {len(scans)} scans; send one scan, or the DICOM files of one series."
        )
    chosen = scans[0].rename(target.with_name(target.name + "".join(scans[0].suffixes)))
    for other in found:
        other.unlink(missing_ok=True)
    folder.rmdir()
    return chosen


def _refused(detail: str) -> RequestError:
    return RequestError(422, "unreadable-upload", detail)
