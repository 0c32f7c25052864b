"""Cases of a folder of DICOM files: one a study, in whatever folders its series lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sanum.cohort.cells import UNSAFE, check_case_name, listed
from sanum.cohort.table import Row
from sanum.core.errors import CohortError
from sanum.core.files import is_dicom
from sanum.core.names import DICOM_SUFFIXES, IMAGE_SUFFIXES, is_scan, modality_of
from sanum.core.units import MODALITIES

StudyOf = Callable[[Path], tuple[str, str] | None]
"""Patient and study of the DICOM pictures right inside a folder, "" where they do not tell; None without a picture."""


def _untold(folder: Path) -> tuple[str, str]:
    del folder
    return "", ""


@dataclass(frozen=True)
class _Study:
    """Whose study it is, the folder that holds it, and all folders with files of it."""

    patient: str
    place: Path
    folders: tuple[Path, ...]


def dicom_folders(root: Path) -> list[Path]:
    """The folders, `root` among them, right inside which DICOM files lie; none where root holds other volumes.

    Pictures beside DICOM folders are previews; volumes are scans of their own.
    """
    names = [path for path in root.iterdir() if is_scan(path) and path.is_file()]
    if any(not path.name.lower().endswith((*DICOM_SUFFIXES, *IMAGE_SUFFIXES)) for path in names):
        return []
    folders = [root, *sorted(path for path in root.rglob("*") if path.is_dir())]
    return [folder for folder in folders if is_dicom(folder)]


def find_dicom(
    root: Path, folders: Sequence[Path], modalities: Sequence[str], study_of: StudyOf | None
) -> tuple[list[Row], tuple[str, ...]]:
    """One row a study, named by its path below `root`; the uppermost folder is the subject.

    Args:
        root: where the case names start.
        folders: that hold DICOM files.
        modalities: to look for in every study whose folders' names do not tell.
        study_of: reads whose study a folder's files belong to; None takes each folder for a study of its own.

    Raises:
        CohortError: a folder with files of several patients or studies, names that tell no modality where none is
            given, or two studies with one case name.
    """
    studies = _studies(folders, study_of or _untold)
    start = _start(root, studies)
    rows: dict[str, Row] = {}
    for study in studies:
        parts = study.place.relative_to(start).parts or (root.name,)
        case = UNSAFE.sub("-", "_".join(parts))
        check_case_name(str(study.place), case)
        if case in rows:
            raise CohortError(f"{root}: two folders are both case {case!r}; rename one")
        rows[case] = Row(case, UNSAFE.sub("-", parts[0]), _scans(study, modalities))
    notes: tuple[str, ...] = ("one case a DICOM study; the uppermost folder is taken for the subject",)
    subjects: dict[str, set[str]] = {}
    for study, row in zip(studies, rows.values(), strict=True):
        subjects.setdefault(study.patient, set()).add(row.subject)
    alike = [
        name for patient, names in subjects.items() if patient and len(names) > 1 for name in sorted(names)
    ]
    if alike:
        notes += (
            f"subjects whose files name one patient: {listed(alike)}; correct the table if they are one",
        )
    return list(rows.values()), notes


def _studies(folders: Sequence[Path], study_of: StudyOf) -> list[_Study]:
    """Folders of one study together; a folder that does not tell is a study of its own."""
    found: dict[tuple[str, str], list[Path]] = {}
    for folder in folders:
        told = study_of(folder)
        if told is not None:
            patient, uid = told
            found.setdefault((patient, uid or str(folder)), []).append(folder)
    studies = [
        _Study(patient, Path(os.path.commonpath(inside)), tuple(inside))
        for (patient, _), inside in found.items()
    ]
    for study in studies:
        _check_apart(study, studies)
    return sorted(studies, key=lambda study: study.place)


def _check_apart(study: _Study, studies: Sequence[_Study]) -> None:
    """A study is read as a folder, so that nothing of another one may lie in it."""
    inside = [
        other
        for other in studies
        if other is study or any(folder.is_relative_to(study.place) for folder in other.folders)
    ]
    if len(inside) == 1:
        return
    patients = len({other.patient for other in inside})
    count, many, one = (
        (patients, "patients", "patient") if patients > 1 else (len(inside), "studies", "study")
    )
    raise CohortError(f"{study.place}: files of {count} {many}; give each {one}'s files their own folder")


def _start(root: Path, studies: Sequence[_Study]) -> Path:
    """The folder from which names start: a lone study itself, else below folders that only wrap all patients."""
    places = [study.place for study in studies]
    if len(places) == 1:
        return places[0]
    return Path(os.path.commonpath(places)) if len({study.patient for study in studies}) > 1 else root


def _scans(study: _Study, modalities: Sequence[str]) -> Mapping[str, Path]:
    """Folders named by modality, and for all others of `modalities` the study, of which the reader chooses a series."""
    named: dict[str, list[Path]] = {}
    for folder in study.folders:
        named.setdefault(modality_of(folder) or "", []).append(folder)
    unnamed = named.pop("", [])
    if unnamed and not named and not modalities:
        raise CohortError(
            f"{study.place}: the folder's name does not tell the modality; name it like {study.place.name}_T1w, or "
            f"give the modality: {', '.join(MODALITIES)}"
        )
    scans = {name: inside[0] if len(inside) == 1 else study.place for name, inside in named.items()}
    if unnamed:
        scans |= {name: study.place for name in modalities if name not in scans}
    return {name: scans[name] for name in MODALITIES if name in scans}
