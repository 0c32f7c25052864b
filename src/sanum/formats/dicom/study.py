"""To which study a folder's DICOM files belong; nothing of it is ever shown."""

from __future__ import annotations

from pathlib import Path

from sanum.core.errors import ScanError
from sanum.formats.dicom.frames import read_head


def study_of(folder: Path) -> tuple[str, str] | None:
    """Patient and study UID of the first DICOM picture right inside a folder; None where none lies there.

    A `DICOMDIR`, reports and files that are no DICOM are passed over. Both are "" where all pictures are damaged: that
    is told when they are read.
    """
    damaged = False
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue
        try:
            with path.open("rb") as stream:
                head = read_head(path, stream, 0)
        except (ScanError, OSError):
            damaged = True
            continue
        if head is not None:
            return head.patient, head.study
    return ("", "") if damaged else None
