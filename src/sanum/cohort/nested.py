"""Cases of folders in folders without a standard: one folder a case, as BraTS and many others have it.

`BraTS18_x/BraTS18_x_t1.nii.gz`, `case_8/T1.nii.gz` and `patient07/T1_N4_brain.nii.gz` are read; where folders of two
cases have one name, the folder above them tells them apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sanum.cohort.cells import UNSAFE, listed
from sanum.cohort.folders import is_mask, row_of, sort_out
from sanum.cohort.table import Row
from sanum.core.errors import CohortError
from sanum.core.names import DICOM_SUFFIXES, is_scan, modality_called, modality_of, scan_stem
from sanum.core.units import MODALITIES

LESION = re.compile(r"(gt|gold.?standard|lesions?|consensus|tumou?r)(?![a-z])", re.IGNORECASE)
"""How the name of a mask of lesions begins that does not go on from a scan's name."""

TUMOUR = re.compile(r"brats.*[_-]seg", re.IGNORECASE)
"""BraTS' masks; elsewhere `seg` is as often one of anatomy."""

TIME_POINT = re.compile(r"(BraTS-[A-Z]+-\d+)-\d+")
"""BraTS' cases since 2023: subject and time point."""


@dataclass(frozen=True)
class _Found:
    """A case by the folder it lies in."""

    folder: Path
    case: str
    scans: Mapping[str, Path]
    masks: Mapping[str, Path]


def scan_folders(root: Path) -> list[Path]:
    """The folders below `root` right inside which scans lie; none where some lie right inside `root`."""
    if _files(root):
        return []
    return [folder for folder in sorted(root.rglob("*")) if folder.is_dir() and _files(folder)]


def find_nested(
    root: Path, folders: Sequence[Path], modality: str | None
) -> tuple[list[Row], tuple[str, ...]]:
    """One row a case; notes on files left out and on who is taken for whom.

    Args:
        root: where the folders lie.
        folders: that hold scans.
        modality: what files show whose names do not tell.

    Raises:
        CohortError: no file tells its modality and none is given, two scans for one place, or a name that can't be a
            folder name.
    """
    if modality is None and not any(_told(path) for folder in folders for path in _files(folder)):
        first = _files(folders[0])[0]
        raise CohortError(
            f"{root}: no name tells the modality, {first.relative_to(root)} for one; say how they are named by "
            f"--pattern, or give the modality: {', '.join(MODALITIES)}"
        )
    found, left_out = [], []
    for folder in folders:
        here, others = _in_folder(folder, modality)
        found += here
        left_out += others
    rows = _named(root, found)
    notes: tuple[str, ...] = (
        "each folder is taken for a case, and for a subject of its own unless its name tells",
    )
    if left_out:
        names = [path.relative_to(root).as_posix() for path in left_out]
        notes += (f"left out, no scan of their own by name: {listed(names)}",)
    return rows, notes


def _files(folder: Path) -> list[Path]:
    """Scans right inside a folder, in the order of their names; DICOM has an order of its own."""
    return sorted(
        path
        for path in folder.iterdir()
        if is_scan(path) and path.is_file() and not path.name.lower().endswith(DICOM_SUFFIXES)
    )


def _told(path: Path) -> str | None:
    return modality_of(path) or modality_called(scan_stem(path).split("_")[0])


def _in_folder(folder: Path, modality: str | None) -> tuple[list[_Found], list[Path]]:
    """The cases of one folder, and the files that are neither scans nor masks."""
    files = _files(folder)
    masks = [path for path in files if LESION.match(scan_stem(path)) or TUMOUR.match(scan_stem(path))]
    rest = [path for path in files if path not in masks]
    if any(modality_of(path) for path in rest):
        names = sort_out(folder, rest, modality)
        found = [
            _Found(folder, case, scans, names.masks.get(case, {})) for case, scans in names.scans.items()
        ]
        left_out = names.left_out
    else:
        found, left_out = _by_first_word(folder, rest, modality)
    if len(masks) == 1 and len(found) == 1 and "lesion" not in found[0].masks:
        return [replace(found[0], masks={**found[0].masks, "lesion": masks[0]})], left_out
    return found, [*left_out, *masks]


def _by_first_word(
    folder: Path, files: Sequence[Path], modality: str | None
) -> tuple[list[_Found], list[Path]]:
    """Names that begin with the modality: `T1_N4_brain.nii.gz`, all of one case."""
    scans: dict[str, Path] = {}
    left_out = []
    for path in files:
        told = modality_called(scan_stem(path).split("_")[0])
        if told is None or is_mask(scan_stem(path)):
            left_out.append(path)
        elif told in scans:
            raise CohortError(
                f"{folder}: two {told} scans, {scans[told].name} and {path.name}; rename or remove one"
            )
        else:
            scans[told] = path
    if scans or modality is None:
        return ([_Found(folder, folder.name, scans, {})] if scans else []), left_out
    names = sort_out(folder, files, modality)
    return [
        _Found(folder, case, one, names.masks.get(case, {})) for case, one in names.scans.items()
    ], names.left_out


def _named(root: Path, found: Sequence[_Found]) -> list[Row]:
    """Rows of cases as they are called; where two are called alike, all with the folders above them."""
    names = Counter(one.case for one in found)
    alike = any(count > 1 for count in names.values())
    rows = []
    for one in found:
        folders = one.folder.relative_to(root).parts
        above = folders[:-1] if one.case == one.folder.name else folders
        case = UNSAFE.sub("-", "_".join((*above, one.case) if alike else (one.case,)))
        row = row_of(one.folder, case, one.scans, one.masks)
        if alike and len(folders) > 1 and row.subject == row.case:
            row = replace(row, subject=UNSAFE.sub("-", folders[-2]))
        timed = TIME_POINT.fullmatch(row.case)
        rows.append(row if timed is None else replace(row, subject=timed.group(1)))
    return rows
