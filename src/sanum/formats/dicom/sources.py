"""Where DICOM files come from: a folder, a zip archive, a gzip file, or one file.

Member names of an archive never reach the file system nor any message: they may hold a patient's name.
"""

from __future__ import annotations

import contextlib
import functools
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from sanum.core.errors import ScanError

MAX_FILES = 20_000
"""Most files of one folder or archive that are looked at; a thin-sliced study has some thousands."""

MAX_BYTES = 8 * 2**30
"""Most bytes that an archive may hold once unpacked; a study of one patient seldom has more than 2 GB."""

Opener = Callable[[], BinaryIO]


@contextlib.contextmanager
def sources(path: Path) -> Iterator[list[Opener]]:
    """Every file, each to be opened when it is needed; nothing is unpacked to disk.

    Raises:
        ScanError: a damaged or encrypted archive, too many files, or a file that can't be read; also for
            what happens inside the block.
    """
    from isal.igzip_lib import IsalError

    damage = cast("type[Exception]", IsalError)  # its stub declares a value where a class is
    try:
        with contextlib.ExitStack() as stack:
            yield _openers(path, stack)
    except (zipfile.BadZipFile, zlib.error, damage, EOFError, NotImplementedError) as error:
        raise ScanError(f"{path}: damaged or cut short ({error}); copy or download it again") from error
    except OSError as error:
        raise ScanError(f"{path}: can't be read ({error.strerror or error})") from error


def _openers(path: Path, stack: contextlib.ExitStack) -> list[Opener]:
    name = path.name.lower()
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith(".")]
        _check_count(path, len(files))
        return [functools.partial(_plain, file) for file in files]
    if name.endswith(".zip"):
        archive = stack.enter_context(zipfile.ZipFile(path))
        return [functools.partial(_member, archive, member) for member in _members(path, archive)]
    if name.endswith(".gz"):
        return [functools.partial(_gzip, path)]
    return [functools.partial(_plain, path)]


def _plain(path: Path) -> BinaryIO:
    return path.open("rb")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> BinaryIO:
    return cast(BinaryIO, archive.open(member))


def _gzip(path: Path) -> Any:
    from isal import igzip

    return igzip.open(path, "rb")


def _members(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files of an archive. zipfile gives no more bytes of each than the sizes that are added up here."""
    members = [member for member in archive.infolist() if not member.filename.endswith("/")]
    _check_count(path, len(members))
    if any(member.flag_bits & 1 for member in members):
        raise ScanError(f"{path}: the archive is encrypted; make it again without a password")
    declared = sum(member.file_size for member in members)
    if declared > MAX_BYTES:
        raise ScanError(
            f"{path}: the archive would unpack to {declared / 2**30:.1f} GiB, more than the "
            f"{MAX_BYTES / 2**30:.0f} GiB that are read; give the folder of one series"
        )
    return members


def _check_count(path: Path, count: int) -> None:
    if count > MAX_FILES:
        raise ScanError(
            f"{path}: {count:,} files, more than the {MAX_FILES:,} that are looked at; give one series"
        )
