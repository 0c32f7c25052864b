"""The table of a store's cases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import msgspec

from sanum.core.errors import CohortError
from sanum.core.files import write_text
from sanum.core.records import Label, Split


class ManifestRow(msgspec.Struct, frozen=True, gc=False):
    """One case of a store: its cohort fields, and how preparation went.

    Attributes:
        status: "ready" or "failed".
        reason: why it failed, else empty.
        slices: slices with any mask; 0 when failed.
        seconds: what preparation took.
    """

    case: str
    subject: str
    label: Label
    split: Split | None
    site: str
    age: str
    sex: str
    status: str
    reason: str
    slices: int
    seconds: float


COLUMNS = ManifestRow.__struct_fields__


def read_manifest(path: Path) -> list[ManifestRow]:
    """The rows of a `manifest.tsv`, as `write_manifest` leaves it; a seventh of a second for 100,000.

    Raises:
        CohortError: missing, or damaged.
    """
    try:
        head, *lines, end = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except (OSError, ValueError) as error:
        raise _damaged(path, getattr(error, "strerror", None) or "empty") from error
    if head != "\t".join(COLUMNS):
        raise _damaged(path, f"expected the columns {', '.join(COLUMNS)}")
    if end or any(line.count("\t") != len(COLUMNS) - 1 for line in lines):
        raise _damaged(path, "a line is cut off, or has more or fewer cells than the header")
    return [_row(path, line) for line in lines]


def _row(path: Path, line: str) -> ManifestRow:
    case, subject, label, split, site, age, sex, status, reason, slices, seconds = line.split("\t")
    try:
        numbers = int(slices), float(seconds)
    except ValueError as error:
        raise _damaged(path, f"{case}: {error}") from error
    known = cast(Label, label), cast(Split, split) if split else None
    return ManifestRow(case, subject, *known, site, age, sex, status, reason, *numbers)


def _damaged(path: Path, why: str) -> CohortError:
    return CohortError(f"{path}: missing or damaged ({why}); run `sanum prepare` again")


def write_manifest(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write rows of cells in the order of `COLUMNS`; white space within a cell becomes a blank.

    Raises:
        StorageError: the file can't be written.
    """
    lines = ["\t".join(" ".join(str(cell).split()) for cell in cells) for cells in (COLUMNS, *rows)]
    write_text(path, "\n".join(lines) + "\n")
