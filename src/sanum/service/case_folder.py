"""Where a case's files lie. Every name is ours; nothing a client sends becomes part of a path."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

from sanum.core.modalities import TABLE
from sanum.service.cases import Case

OTHER_SCANS = {f"scan-{modality}.nii.gz": modality for modality in TABLE}
"""Of a case of several modalities, those beside the first, on its grid."""

RESULTS = {
    "detection.json": "application/json",
    "anomaly_map.nii.gz": "application/gzip",
    "overlay.png": "image/png",
    "report.html": "text/html",
    "scan.nii.gz": "application/gzip",
    "restored.nii.gz": "application/gzip",
    **dict.fromkeys(OTHER_SCANS, "application/gzip"),
}
"""What a finished case may offer, and its media type; a model that restores nothing gives no `restored.nii.gz`."""


_STORED = {"overlay.png": "overlay-01.png"}
"""Where the name in the API is not that of the file."""


class CaseFolders:
    """The data folder of a service: `incoming/` for uploads, `cases/<id>/inputs` and `cases/<id>/results-<attempt>`.

    Args:
        data: made when missing, with its parts readable by the owner only.
    """

    def __init__(self, data: Path) -> None:
        self._cases = data.resolve() / "cases"
        self.incoming = data.resolve() / "incoming"
        data.resolve().mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self._cases, self.incoming):
            folder.mkdir(exist_ok=True, mode=0o700)

    def accept(self, case: str, uploaded: Path) -> None:
        """Move a folder of uploaded files to its case, in one step."""
        (self._cases / case).mkdir(mode=0o700)
        uploaded.rename(self.inputs(case))

    def inputs(self, case: str) -> Path:
        """What was sent."""
        return self._cases / case / "inputs"

    def results(self, case: Case) -> Path:
        """What the case's present attempt gives; each attempt has its own, so that none writes into another's."""
        return self._cases / case.id / f"results-{case.attempts}"

    def result(self, case: Case, name: str) -> Path | None:
        """A result file of a finished case, or None where it has none of that name."""
        path = self.results(case) / _STORED.get(name, name)
        return path if name in RESULTS and case.status == "done" and path.is_file() else None

    def delete(self, case: str) -> None:
        """Remove everything of a case."""
        shutil.rmtree(self._cases / case, ignore_errors=True)

    def delete_inputs(self, case: str) -> None:
        """Remove what was sent, the copies of scans that the viewer shows, and the twin, which holds parts of one."""
        shutil.rmtree(self.inputs(case), ignore_errors=True)
        for name in ("scan.nii.gz", "restored.nii.gz", *OTHER_SCANS):
            for copy in (self._cases / case).glob(f"results-*/{name}"):
                copy.unlink(missing_ok=True)

    def drop_other_attempts(self, case: Case) -> None:
        """Remove results of earlier attempts."""
        for folder in (self._cases / case.id).glob("results-*"):
            if folder != self.results(case):
                shutil.rmtree(folder, ignore_errors=True)

    def names(self) -> list[str]:
        """Cases that have a folder."""
        return [folder.name for folder in self._cases.iterdir()]

    def modified(self, case: str) -> float:
        """When the case's folder was last changed, seconds since 1970."""
        return modified(self._cases / case)


def modified(folder: Path) -> float:
    """When a folder was last changed, seconds since 1970; infinity where another process has removed it meanwhile."""
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return math.inf
