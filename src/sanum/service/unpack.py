"""Archives: unpacked under names of our own, by count, bytes and time, whatever they promise about themselves."""

from __future__ import annotations

import time
import zipfile
import zlib
from pathlib import Path

from sanum.core.names import IMAGE_SUFFIXES
from sanum.service.problems import RequestError
from sanum.service.sniff import DICOM, ZIP, suffix_of_head

MOST_MEMBERS = 20_000
"""A series of thin slices has at most some thousands."""

MOST_RATIO = 100.0
"""Scans hold noise and shrink to a half or a tenth; what shrinks more than this, and is large, was made to fill disks."""

SMALL_BYTES = 100e6
"""Up to here any ratio passes: an empty mask is a scan too."""

_CHUNK = 1 << 20

_ENTRY = b"PK\x01\x02"
"""Begins each entry of an archive's directory."""


def unpack(archive: Path, target: Path, *, most_bytes: float, deadline: float) -> Path:
    """Unpack the scan in a zip file: one volume or image, or the DICOM files of one study.

    Pictures beside DICOM files are previews and left out.
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
    _check_promise(members, most_bytes)
    for number, member in enumerate(members):
        with archive.open(member) as source:
            start = source.read(_CHUNK)
            suffix = suffix_of_head(start)
            if suffix is None or suffix == ZIP:
                continue
            with (folder / f"{number:06d}{suffix}").open("xb") as sink:
                while start:
                    if time.monotonic() > deadline:
                        raise RequestError(408, "too-slow", "The archive took too long to unpack.")
                    sink.write(start)
                    start = source.read(_CHUNK)


def _check_promise(members: list[zipfile.ZipInfo], most_bytes: float) -> None:
    """By what the archive says of itself: `zipfile` gives no more of a member than that."""
    promised = sum(member.file_size for member in members)
    if promised > most_bytes:
        raise RequestError(
            413, "too-large", f"The archive holds more than {most_bytes / 1e6:,.0f} MB once unpacked."
        )
    stored = sum(member.compress_size for member in members)
    if promised > max(SMALL_BYTES, MOST_RATIO * stored):
        raise _refused(f"The archive unpacks to more than {MOST_RATIO:.0f} times its size, as no scan does.")


def _choose(folder: Path, target: Path) -> Path:
    found = sorted(folder.iterdir())
    pictures = [path for path in found if path.suffix in IMAGE_SUFFIXES]
    dicom = [path for path in found if path.suffix == DICOM]
    if dicom and len(dicom) + len(pictures) == len(found):
        for preview in pictures:
            preview.unlink()
        return folder.rename(target)
    scans = [path for path in found if path.suffix != DICOM]
    if len(scans) != 1:
        raise _refused(
            f"The archive holds {len(scans)} scans; send one scan, or the DICOM files of one study."
        )
    chosen = scans[0].rename(target.with_name(target.name + "".join(scans[0].suffixes)))
    for other in found:
        other.unlink(missing_ok=True)
    folder.rmdir()
    return chosen


def _refused(detail: str) -> RequestError:
    return RequestError(422, "unreadable-upload", detail)
