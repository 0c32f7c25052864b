"""From what a person hands over in Python to cohort rows whose files the readers check like any other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sanum.cohort.table import Row
from sanum.core.errors import ScanError
from sanum.core.files import holds_dicom, is_dicom
from sanum.formats import is_scan, split_part
from sanum.formats.memory import FORMS, is_array, is_nibabel_image, own_name, write_in_memory
from sanum.workflow.detection import CaseDetection
from sanum.workflow.inputs import file_row, gather


@dataclass
class Handover:
    """Scans as they were given, laid down as files.

    Attributes:
        folder: for what lies in memory; the caller removes it.
        modalities: that the model takes.
        modality: what a single scan shows, where its name does not tell.
        names: what each file in `folder` is called before a person.
    """

    folder: Path
    modalities: tuple[str, ...]
    modality: str | None = None
    names: dict[str, str] = field(default_factory=dict)

    def rows(self, given: Any, *, affine: Any = None, case: str = "") -> tuple[list[Row], bool]:
        """The cases of anything that may be given as a scan, and whether it is one case by itself.

        Raises:
            TypeError: it is nothing of the kind.
            ScanError: a file that does not exist.
        """
        if isinstance(given, str | Path):
            return self._of_path(Path(given))
        if isinstance(given, Mapping):
            scans = {str(name): self.file(one, affine, case) for name, one in given.items()}
            return [Row(case=case or "case", subject=case or "case", scans=scans)], True
        if is_nibabel_image(given) or is_array(given) or _with_affine(given):
            row = file_row(self.file(given, affine, case), self.modalities, self.modality)
            return [replace(row, case=case, subject=case) if case else row], True
        if isinstance(given, Iterable) and not isinstance(given, bytes | bytearray):
            rows = [self.rows(one, affine=affine)[0] for one in given]
            return [row for several in rows for row in several], False
        raise TypeError(f"a scan is given as {FORMS}; got {type(given).__name__}")

    def file(self, given: Any, affine: Any = None, name: str = "") -> Path:
        """The file of one scan or mask; what lies in memory is written.

        Raises:
            TypeError: it is no single scan.
            ScanError: a file that does not exist.
        """
        if isinstance(given, str | Path):
            return existing(Path(given))
        if _with_affine(given):
            given, affine = given
        if not (is_nibabel_image(given) or is_array(given)):
            raise TypeError(
                f"one scan is given as a path, a nibabel image or an array; got {type(given).__name__}"
            )
        place = self.folder / f"{len(self.names):05d}"
        place.mkdir()
        known = own_name(given) or name
        stem = known.partition(".")[0] or f"scan-{len(self.names) + 1}"
        path = write_in_memory(given, affine, place / stem)
        self.names[str(path)] = known or stem
        return path

    def _of_path(self, path: Path) -> tuple[list[Row], bool]:
        existing(path)
        file = split_part(path)[0]
        rows = gather([path], self.modalities, modality=self.modality)
        single = file.is_file() and (is_dicom(file) or is_scan(file))
        return rows, single or (len(rows) == 1 and file.is_dir() and holds_dicom(file))

    def told(self, found: CaseDetection) -> CaseDetection:
        """The detection with scans from memory called by their own names."""
        reason, sources = found.reason, found.provenance.sources
        for path, name in self.names.items():
            reason = reason.replace(path, name)
        sources = tuple(replace(one, path=self.names.get(one.path, one.path)) for one in sources)
        return replace(found, reason=reason, provenance=replace(found.provenance, sources=sources))


def existing(path: Path) -> Path:
    """The path.

    Raises:
        ScanError: nothing is there.
    """
    if not split_part(path)[0].exists():
        raise ScanError(f"{path}: no such file")
    return path


def _with_affine(given: Any) -> bool:
    """Whether this is an array and its affine."""
    return isinstance(given, tuple) and len(given) == 2 and is_array(given[0]) and _shape(given[1]) == (4, 4)


def _shape(given: Any) -> tuple[int, ...]:
    return tuple(getattr(given, "shape", ()))
