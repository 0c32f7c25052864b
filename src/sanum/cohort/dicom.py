"""Cases of a folder of DICOM series: one a folder that holds DICOM files."""

from __future__ import annotations

import re
from pathlib import Path

from sanum.cohort.cells import check_case_name
from sanum.cohort.table import Row
from sanum.core.errors import CohortError
from sanum.core.files import is_dicom
from sanum.core.names import DICOM_SUFFIXES, is_scan, modality_of
from sanum.core.units import MODALITIES

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def dicom_folders(root: Path) -> list[Path]:
    """The folders, `root` among them, right inside which DICOM files lie; none where root holds other scans."""
    names = [path for path in root.iterdir() if is_scan(path) and path.is_file()]
    if any(not path.name.lower().endswith(DICOM_SUFFIXES) for path in names):
        return []
    folders = [root, *sorted(path for path in root.rglob("*") if path.is_dir())]
    return [folder for folder in folders if is_dicom(folder)]


def find_dicom(root: Path, folders: list[Path], modality: str | None) -> tuple[list[Row], tuple[str, ...]]:
    """One row a series folder, named by its path below `root`; the uppermost folder is the subject.

    Raises:
        CohortError: a folder's name tells no modality and none is given, or two folders give one case name.
    """
    rows: dict[str, Row] = {}
    for folder in folders:
        parts = folder.relative_to(root).parts or (root.name,)
        case = UNSAFE.sub("-", "_".join(parts))
        check_case_name(str(folder), case)
        shown = modality_of(folder) or modality
        if shown is None:
            raise CohortError(
                f"{folder}: the folder's name does not tell the modality; name it like {folder.name}_T1w, or give "
                f"the modality: {', '.join(MODALITIES)}"
            )
        if case in rows:
            raise CohortError(f"{root}: two folders are both case {case!r}; rename one")
        rows[case] = Row(case, UNSAFE.sub("-", parts[0]), {shown: folder})
    note = "one case a DICOM folder; the uppermost folder is taken for the subject"
    return list(rows.values()), (note,)
