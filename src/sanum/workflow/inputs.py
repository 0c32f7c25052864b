"""From what a user names on the command line to cohort rows."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sanum.cohort.cells import UNSAFE
from sanum.cohort.discover import discover
from sanum.cohort.table import Row, read_cohort
from sanum.core.errors import CohortError, ConfigError, ScanError
from sanum.core.exported import MODEL_SUFFIXES
from sanum.core.files import holds_dicom, is_dicom
from sanum.core.modalities import AnyOf
from sanum.core.shipped import DEFAULT_MODEL, find_model, shipped_models
from sanum.formats import is_scan, modality_of, read_scan, scan_stem, split_part, study_of, with_part

RECOGNISED = 0.9
"""Least share of the likeliest sequence at which a scan without a telling name is taken for it."""


def model_and_scans(inputs: Sequence[Path], model: Path | None) -> tuple[Path, Sequence[Path]]:
    """The model file and the scans of a command line where a model may stand before the scans.

    Args:
        inputs: scans; the first is taken for the model where no other is named and it is a `.safetensors` or
            `.onnx` file, or the name of a model that comes with sanum and no file.
        model: as an option named it.

    Raises:
        ModelFileError: no such model.
        ConfigError: nothing is left to judge.
    """
    first = inputs[0]
    named = first.suffix in MODEL_SUFFIXES or (str(first) in shipped_models() and not first.exists())
    if model is not None or not named:
        return find_model(model or Path(DEFAULT_MODEL)), inputs
    if len(inputs) == 1:
        raise ConfigError(f"{first} is a model; name a scan to judge as well")
    return find_model(first), inputs[1:]


def gather(
    inputs: Sequence[Path],
    modalities: tuple[str, ...],
    *,
    modality: str | None = None,
    split: str | None = None,
    series: str | None = None,
    as_called: bool = False,
) -> list[Row]:
    """One row a case from volumes, images, DICOM folders, other folders and cohort tables.

    Args:
        inputs: paths that exist.
        modalities: what the model needs of each case.
        modality: what single files show, where their names do not tell; the model's by default.
        split: only this split of tables.
        series: number or UID ending of the series in every DICOM input.
        as_called: a person vouches that all scans show what they are called, whatever they look like.

    Raises:
        ScanError: a path does not exist or is nothing that can be read.
        CohortError: two inputs lead to the same case name, or nothing was found.
    """
    rows = _told_apart([row for path in inputs for row in _rows(path, modalities, modality, split, series)])
    seen: dict[str, Row] = {}
    for row in rows:
        if row.case in seen:
            raise CohortError(
                f"two inputs are both case {row.case!r}, and one result would replace the other; "
                "rename a file or give a cohort table"
            )
        seen[row.case] = row
    if not rows:
        raise CohortError(f"no case in {', '.join(str(path) for path in inputs)}")
    return [replace(row, as_called=True) for row in rows] if as_called else rows


def _told_apart(rows: Sequence[Row]) -> list[Row]:
    """Rows of files that are called alike in different folders, named by those: `case_8` of `case_8/T1.nii.gz`."""
    counts = Counter(row.case for row in rows)
    return [row if counts[row.case] == 1 else _by_folder(row, rows) for row in rows]


def _by_folder(row: Row, rows: Sequence[Row]) -> Row:
    (first, *_), alike = row.scans.values(), [one for one in rows if one.case == row.case]
    folders = [next(iter(one.scans.values())).absolute().parent for one in alike]
    shared = Path(os.path.commonpath(folders))
    name = UNSAFE.sub("-", "_".join(first.absolute().parent.relative_to(shared).parts))
    return replace(row, case=name, subject=name) if name and row.subject == row.case else row


def _rows(
    path: Path, modalities: tuple[str, ...], modality: str | None, split: str | None, series: str | None
) -> list[Row]:
    file, part = split_part(path)
    if part is not None or (file.is_file() and (is_dicom(file) or is_scan(file))):
        return [file_row(with_part(path, series), modalities, modality)]
    if series is not None and not (path.is_dir() and holds_dicom(path)):
        raise ScanError(f"{path}: a series can be chosen in DICOM files only; in a table write PATH#{series}")
    if path.is_dir():
        single = modalities[0] if len(modalities) == 1 else None
        wanted = modalities if modality is None else (modality,)
        found = discover(path, modality=modality or single, modalities=wanted, study_of=study_of)
        return [_with_series(row, series) for row in found]
    if not file.exists():
        raise ScanError(f"{path}: no such file or folder")
    if path.suffix == ".tsv":
        cohort = read_cohort(path)
        return [row for row in cohort if split is None or row.split == split]
    raise ScanError(f"{path}: not a scan, folder or cohort table (.tsv)")


def _with_series(row: Row, series: str | None) -> Row:
    """The row with its DICOM folders narrowed to one series."""
    return replace(row, scans={name: with_part(path, series) for name, path in row.scans.items()})


def file_row(path: Path, modalities: tuple[str, ...], modality: str | None = None) -> Row:
    """A cohort row for a single file, or for a DICOM study, which may hold all modalities that a model needs.

    Raises:
        ScanError: the model needs several modalities, and one file is not a case.
    """
    stem = scan_stem(path.absolute())
    one_file = path.is_file() or split_part(path)[1] is not None
    if isinstance(modalities, AnyOf) and one_file and path.suffix.lower() != ".zip":
        shown = modality or modality_of(path) or recognised(path, modalities)
        return Row(case=stem, subject=stem, scans={shown: path})
    if (
        len(modalities) > 1
        and split_part(path)[1] is None
        and (path.is_dir() or path.suffix.lower() == ".zip")
    ):
        return Row(case=stem, subject=stem, scans=dict.fromkeys(modalities, path))
    if len(modalities) > 1:
        raise ScanError(
            f"{path}: the model needs {', '.join(modalities)} of each case; give a cohort table with these columns"
        )
    shown = modality or modality_of(path) or modalities[0]
    return Row(case=stem, subject=stem, scans={shown: path})


def recognised(path: Path, modalities: tuple[str, ...]) -> str:
    """The modality that a scan without a telling name looks like.

    Raises:
        ScanError: it can't be read, looks like none of the modalities, or like none for sure.
    """
    from sanum.prepare.sequence import recognise

    scan = read_scan(path)
    if scan.modality is not None:
        return scan.modality
    looks = recognise(scan)
    if looks.sequence in modalities and looks.confidence >= RECOGNISED:
        return looks.sequence
    raise ScanError(
        f"{path}: neither name nor header tells the sequence, and it looks like {looks.sequence} "
        f"({looks.confidence:.0%} sure); say which of {', '.join(modalities)} it is with --modality"
    )
