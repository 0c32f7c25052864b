"""The table of a store's cases, opened at once however many they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

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

_TAB, _LINE_END = ord("\t"), ord("\n")


class Manifest(Sequence[ManifestRow]):
    """The rows of a `manifest.tsv`. Opening finds the lines; a row is made when it is asked for.

    Args:
        path: the table, as `write_manifest` leaves it.

    Raises:
        CohortError: missing, or damaged; a cell that is no number is found when its row is asked for.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._text = path.read_bytes()
        except OSError as error:
            raise self._damaged(error.strerror or str(error)) from error
        head = "\t".join(COLUMNS).encode() + b"\n"
        if not self._text.startswith(head):
            raise self._damaged(f"expected the columns {', '.join(COLUMNS)}")
        signs = np.frombuffer(self._text, np.uint8)
        self._starts: NDArray[np.int64] = np.flatnonzero(signs == _LINE_END) + 1
        tabs = int(np.count_nonzero(signs == _TAB))
        if self._starts[-1] != len(signs) or tabs != len(self._starts) * (len(COLUMNS) - 1):
            raise self._damaged("a line is cut off, or has more or fewer cells than the header")

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, index: int) -> ManifestRow: ...
    @overload
    def __getitem__(self, index: slice) -> list[ManifestRow]: ...
    def __getitem__(self, index: int | slice) -> ManifestRow | list[ManifestRow]:
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        number = range(len(self))[index]
        return self._row(
            self._text[self._starts[number] : self._starts[number + 1] - 1].decode(errors="replace")
        )

    def __iter__(self) -> Iterator[ManifestRow]:
        lines = self._text.decode(errors="replace").split("\n")
        return (self._row(line) for line in lines[1:-1])

    def _row(self, line: str) -> ManifestRow:
        cells = line.split("\t")
        try:
            case, subject, label, split, site, age, sex, status, reason, slices, seconds = cells
            return ManifestRow(
                case,
                subject,
                cast(Label, label),
                cast(Split, split) if split else None,
                site,
                age,
                sex,
                status,
                reason,
                int(slices),
                float(seconds),
            )
        except ValueError as error:
            raise self._damaged(f"{cells[0]}: {error}") from error

    def _damaged(self, why: str) -> CohortError:
        return CohortError(f"{self._path}: missing or damaged ({why}); run `sanum prepare` again")


def write_manifest(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write rows of cells in the order of `COLUMNS`; white space within a cell becomes a blank.

    Raises:
        StorageError: the file can't be written.
    """
    lines = ["\t".join(" ".join(str(cell).split()) for cell in cells) for cells in (COLUMNS, *rows)]
    write_text(path, "\n".join(lines) + "\n")
