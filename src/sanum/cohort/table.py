"""The cohort table: one row a case, as a TSV whose paths are relative to the table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from sanum.cohort.cells import LISTED, MAX_AGE, MISSING, age_of, check_case_name, choice_of, read_cells
from sanum.core.errors import CohortError
from sanum.core.files import write_text
from sanum.core.names import split_part
from sanum.core.records import Label, Split
from sanum.core.units import MODALITIES

LEADING = ("case", "subject", "session")
TRAILING = ("brain", "lesion", "label", "split", "site", "age", "sex", "as_called")
KNOWN_COLUMNS = (*LEADING, *MODALITIES, *TRAILING)
"""Columns with a meaning, any other is carried along as text."""

LABELS: tuple[Label, ...] = get_args(Label)
SPLITS: tuple[Split, ...] = get_args(Split)
YES_OR_NO = ("yes", "no")

_KNOWN_BY_LOWER = {name.lower(): name for name in KNOWN_COLUMNS}


@dataclass(frozen=True, slots=True)
class Row:
    """One case.

    Attributes:
        case: unique, and safe as a folder name.
        subject: whom it shows; the unit of splitting.
        scans: absolute path of each modality's file, DICOM folder, or part of one (`path#part`); at least one.
        session: visit, where there are several.
        brain: brain mask, if any.
        lesion: lesion mask, if any; for evaluation only.
        label: what is known about it.
        split: what it is used for; None before splitting.
        site: scanner or centre.
        age: years; "89+", as BIDS hides higher ages, is read as 89.
        sex: as the table says, commonly M or F.
        as_called: a person vouches that the scans show what their columns say, whatever they look like.
        extra: other columns that have a value.
    """

    case: str
    subject: str
    scans: Mapping[str, Path]
    session: str | None = None
    brain: Path | None = None
    lesion: Path | None = None
    label: Label = "unknown"
    split: Split | None = None
    site: str | None = None
    age: float | None = None
    sex: str | None = None
    as_called: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cohort:
    """Cases and where they were listed.

    Attributes:
        path: the table, or the folder that was searched.
        rows: the cases.
        modalities: modality columns in their order; a row may lack some.
        notes: what a person should know: files left out, subjects that could not be used, …
    """

    path: Path
    rows: tuple[Row, ...]
    modalities: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def select(self, *, split: Split | None = None, label: Label | None = None) -> Cohort:
        """The rows of one split, of one label, or of both."""
        rows = tuple(
            row
            for row in self.rows
            if (split is None or row.split == split) and (label is None or row.label == label)
        )
        return replace(self, rows=rows)

    def showing(self, modalities: Sequence[str]) -> Cohort:
        """The rows with a scan of any of these modalities; a note tells how many have none.

        Raises:
            CohortError: no row has any.
        """
        rows = tuple(row for row in self.rows if any(name in row.scans for name in modalities))
        named = ", ".join(modalities)
        if not rows:
            raise CohortError(f"{self.path}: no case with {named}; there is {', '.join(self.modalities)}")
        lacking = len(self.rows) - len(rows)
        told = (f"cases left out, without {named}: {lacking}",) if lacking else ()
        return replace(self, rows=rows, notes=(*self.notes, *told))


def read_cohort(path: Path | str, *, check_files: bool = True) -> Cohort:
    """Read a cohort table strictly.

    Args:
        path: TSV with the columns `case`, `subject` and at least one modality (`core.units.MODALITIES`);
            further ones as in `KNOWN_COLUMNS`; others are carried along. No quoting: a quote is a quote.
        check_files: make sure that every file is there.

    Raises:
        CohortError: not such a table, or a wrong cell; the message names the line.

    >>> cohort = sanum.read_cohort(table)
    >>> len(cohort), cohort.modalities, len(cohort.select(split="train"))
    (12, ('T1w',), 4)
    """
    path = Path(path)
    header, lines = read_cells(path)
    _check_header(path, header)
    modalities = tuple(name for name in header if name in MODALITIES)
    folder = path.absolute().parent
    rows: list[Row] = []
    line_of_case: dict[str, int] = {}
    for number, cells in lines:
        where = f"{path}, line {number}"
        row = _row(where, folder, dict(zip(header, cells, strict=True)), modalities)
        if row.case in line_of_case:
            raise CohortError(
                f"{path}: case {row.case!r} stands in line {line_of_case[row.case]} and again in line {number}; "
                "give each case its own name"
            )
        line_of_case[row.case] = number
        rows.append(row)
    if not rows:
        raise CohortError(f"{path}: the table has a header but no case")
    if check_files:
        _check_files(path, rows, line_of_case)
    return Cohort(path, tuple(rows), modalities)


def write_cohort(cohort: Cohort, path: Path | str) -> None:
    """Write a cohort as TSV, atomically. Paths below the table's folder become relative, others stay absolute.

    Columns without any value are left out, except case, subject, modalities and label.

    Raises:
        CohortError: a cell holds a tab or a line break, or an extra column takes a known name.
        StorageError: the file can't be written.

    >>> sanum.write_cohort(sanum.read_cohort(table).select(label="lesion"), folder / "ill.tsv")
    >>> [row.case for row in sanum.read_cohort(folder / "ill.tsv")]
    ['c10', 'c11']
    """
    path = Path(path)
    folder = path.absolute().parent
    records = [_record(row, folder) for row in cohort.rows]
    extra = dict.fromkeys(name for row in cohort.rows for name in row.extra)
    if taken := [name for name in extra if name.lower() in _KNOWN_BY_LOWER]:
        raise CohortError(f"{path}: extra column {taken[0]!r} has a meaning of its own; rename it")
    kept = {"case", "subject", "label", *cohort.modalities}
    ordered = dict.fromkeys((*LEADING, *cohort.modalities, *MODALITIES, *TRAILING))
    columns = [name for name in ordered if name in kept or any(name in record for record in records)]
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
    columns += extra
    try:
        writer.writerow(columns)
        writer.writerows([record.get(name, "") for name in columns] for record in records)
    except csv.Error as error:
        raise CohortError(
            f"{path}: a cell holds a tab or a line break, which a TSV can't ({error})"
        ) from error
    write_text(path, text.getvalue())


def _check_header(path: Path, header: Sequence[str]) -> None:
    for name in header:
        if name == "":
            raise CohortError(f"{path}: a column has no name")
        if header.count(name) > 1:
            raise CohortError(f"{path}: column {name!r} stands there twice")
        meant = _KNOWN_BY_LOWER.get(name.lower(), name)
        if meant != name:
            raise CohortError(f"{path}: unknown column {name!r}; did you mean {meant!r}?")
    for name in ("case", "subject"):
        if name not in header:
            raise CohortError(
                f"{path}: column {name!r} is missing; expected a tab-separated header with case, subject "
                f"(whom the case shows) and a modality, got: {', '.join(header)}"
            )
    if not any(name in MODALITIES for name in header):
        raise CohortError(f"{path}: no modality column; expected at least one of {', '.join(MODALITIES)}")


def _row(where: str, folder: Path, cells: Mapping[str, str], modalities: tuple[str, ...]) -> Row:
    values = {name: cell for name, cell in cells.items() if cell not in MISSING}
    case, subject = values.get("case"), values.get("subject")
    if case is None or subject is None:
        raise CohortError(f"{where}: case and subject must both have a value")
    check_case_name(where, case)
    scans = {name: folder / values[name] for name in modalities if name in values}
    if not scans:
        raise CohortError(
            f"{where}: case {case!r} has no scan; give a path for one of {', '.join(modalities)}"
        )
    return Row(
        case=case,
        subject=subject,
        scans=scans,
        session=values.get("session"),
        brain=folder / values["brain"] if "brain" in values else None,
        lesion=folder / values["lesion"] if "lesion" in values else None,
        label=choice_of(where, "label", values.get("label", "unknown"), LABELS),
        split=choice_of(where, "split", values["split"], SPLITS) if "split" in values else None,
        site=values.get("site"),
        age=_age(where, values.get("age")),
        sex=values.get("sex"),
        as_called=choice_of(where, "as_called", values.get("as_called", "no"), YES_OR_NO) == "yes",
        extra={name: value for name, value in values.items() if name not in KNOWN_COLUMNS},
    )


def _age(where: str, text: str | None) -> float | None:
    age = None if text is None else age_of(text)
    if text is not None and age is None:
        raise CohortError(f"{where}: age {text!r}; expected years from 0 to {MAX_AGE:g}, or nothing")
    return age


def row_files(row: Row) -> tuple[Path, ...]:
    """Every file that a row names: scans, then masks."""
    return (*row.scans.values(), *(path for path in (row.brain, row.lesion) if path is not None))


def _check_files(path: Path, rows: Sequence[Row], line_of_case: Mapping[str, int]) -> None:
    missing = [
        f"line {line_of_case[row.case]}: {file}"
        for row in rows
        for file in row_files(row)
        if not _is_there(file)
    ]
    if missing:
        listed = "\n  ".join(missing[:LISTED])
        more = f"\n  and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
        raise CohortError(
            f"{path}: files that are not there: {len(missing)}; paths are taken from the table's folder\n  {listed}{more}"
        )


def _is_there(file: Path) -> bool:
    try:
        return split_part(file)[0].exists()
    except OSError:
        return False


def _record(row: Row, folder: Path) -> dict[str, str]:
    """Cells of a row by column, those without value left out."""
    plain = {
        "case": row.case,
        "subject": row.subject,
        "session": row.session,
        "label": row.label,
        "split": row.split,
        "site": row.site,
        "age": None if row.age is None else repr(row.age).removesuffix(".0"),
        "sex": row.sex,
        "as_called": "yes" if row.as_called else None,
    }
    files = {**row.scans, "brain": row.brain, "lesion": row.lesion}
    record = {name: value for name, value in plain.items() if value is not None}
    record |= {name: _shown_path(file, folder) for name, file in files.items() if file is not None}
    return {**record, **row.extra}


def _shown_path(file: Path, folder: Path) -> str:
    absolute = file.absolute()
    return absolute.relative_to(folder).as_posix() if absolute.is_relative_to(folder) else str(absolute)
