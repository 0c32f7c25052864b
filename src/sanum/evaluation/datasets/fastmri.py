"""fastMRI+: which volumes a radiologist reviewed, and which were marked."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from sanum.evaluation.datasets.layout import FoundCase


def add_labels(folder: Path, cases: Iterable[FoundCase]) -> None:
    """Label volumes by `brain.csv` and `brain_file_list.csv`: marked, reviewed without a mark, or unknown.

    Args:
        folder: in which the two tables lie at any depth; without them all labels stay unknown.
        cases: of fastMRI; the subject is the volume's file stem.
    """
    marked = {row[0] for row in _rows(folder, "brain.csv")[1:]}
    reviewed = {row[0] for row in _rows(folder, "brain_file_list.csv")}
    for case in cases:
        if case.subject in marked:
            case.label = "lesion"
        elif case.subject in reviewed:
            case.label = "healthy"


def _rows(folder: Path, name: str) -> list[list[str]]:
    table = next(iter(sorted(folder.rglob(name))), None)
    if table is None:
        return []
    return [row for row in csv.reader(table.read_text(encoding="utf-8-sig").splitlines()) if row]
