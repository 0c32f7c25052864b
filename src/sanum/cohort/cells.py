"""The cells of a TSV, and what may stand in one."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from sanum.core.errors import CohortError

T = TypeVar("T", bound=str)

MISSING = ("", "n/a")
"""Cells without a value; `n/a` is how BIDS says it."""

MAX_AGE = 130.0
"""Years; a higher age is a typing fault."""

SAFE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
"""Case names become folder names on every system."""

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
"""What becomes a hyphen where a case is named after a folder."""

LISTED = 5
"""Faults of one kind that a message lists before it only counts them."""


def read_cells(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Header and numbered lines of a TSV, each as long as the header; blank lines are passed over.

    Raises:
        CohortError: not a tab-separated UTF-8 table; some faults show only when the lines are taken.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CohortError(f"{path}: can't be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise CohortError(f"{path}: not UTF-8 text; save the table as tab-separated UTF-8") from error
    lines = _lines(path, text)
    _, header = next(lines, (0, []))
    if not header:
        raise CohortError(f"{path}: the table is empty; expected a header line")
    return header, _of_length(path, lines, len(header))


def _lines(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE, strict=True)
    try:
        for cells in reader:
            if any(cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise CohortError(f"{path}, line {reader.line_num}: not tab-separated text ({error})") from error


def _of_length(
    path: Path, lines: Iterator[tuple[int, list[str]]], expected: int
) -> Iterator[tuple[int, list[str]]]:
    for number, cells in lines:
        if len(cells) != expected:
            raise CohortError(f"{path}, line {number}: expected {expected} cells, got {len(cells)}")
        yield number, cells


def check_case_name(where: str, case: str) -> None:
    """Refuse a case name that would not do as a folder name.

    Raises:
        CohortError: see above.
    """
    if SAFE_NAME.fullmatch(case) is None:
        raise CohortError(
            f"{where}: case {case!r} can't be a folder name; use letters, digits, '.', '_' and '-', "
            "not '.' at the start"
        )


def choice_of(where: str, column: str, value: str, allowed: tuple[T, ...]) -> T:
    """The one of `allowed` that `value` is.

    Raises:
        CohortError: it is none of them.
    """
    for choice in allowed:
        if choice == value:
            return choice
    raise CohortError(f"{where}: {column} {value!r}; expected {', '.join(allowed)}, or nothing")


def age_of(text: str) -> float | None:
    """Age in years, None where the text is no age. "89+", as BIDS hides higher ages, counts as 89."""
    try:
        age = float(text.removesuffix("+"))
    except ValueError:
        return None
    return age if 0.0 <= age <= MAX_AGE else None


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
