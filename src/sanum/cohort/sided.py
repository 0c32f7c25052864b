"""Pairs in folders: one folder a modality, and files that belong together by name or by order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sanum.cohort.cells import check_case_name, listed
from sanum.cohort.table import Row
from sanum.core.errors import CohortError
from sanum.core.names import is_scan, modality_called, scan_stem

FOLDERS: Mapping[str, str] = {
    "ct": "CT",
    "mri": "MR",
    "mr": "MR",
    "t1": "T1w",
    "t1w": "T1w",
    "t2": "T2w",
    "t2w": "T2w",
    "flair": "FLAIR",
    "fl": "FLAIR",
    "t1ce": "T1ce",
}
"""Modality by the name of a folder; "MR" is what the caller says MRI shows."""

TRANSLATION = ("trainA", "trainB", "testA", "testB")
"""Folders of data sets made for image translation: A is CT and B MRI, which are not always pairs."""

USUAL_MR = "T1w"
"""What a folder that only says MRI shows, where the caller does not tell."""

SUBJECT = re.compile(r"sub-[A-Za-z0-9]+(?=_|$)")


@dataclass(frozen=True)
class _Half:
    """One folder: what it shows, its split by name, and its files by stem."""

    modality: str
    part: str
    files: Mapping[str, Path]


def is_sided(root: Path) -> bool:
    """Whether a folder holds one folder a modality (`CT` and `MRI`, say), or `trainA` and `trainB`."""
    return len({half.modality for half in _halves(root, USUAL_MR)}) > 1


def find_sided(root: Path, modality: str | None) -> tuple[list[Row], tuple[str, ...]]:
    """One row a pair. Files are paired by name, or by number or order where no names agree.

    Args:
        root: holds the folders.
        modality: what a folder that says MRI, or B, shows.

    Raises:
        CohortError: folders whose files can't be paired, or a name that can't be a folder name.
    """
    rows: list[Row] = []
    notes: list[str] = []
    if modality is None:
        notes.append(f"folders that only say MRI are taken for {USUAL_MR}; give --modality for another")
    halves = _halves(root, modality or USUAL_MR)
    for part in dict.fromkeys(half.part for half in halves):
        here = [half for half in halves if half.part == part]
        found, how = _paired(root, here)
        rows += [_row(root, part, stem, scans) for stem, scans in found]
        notes += how
    notes.append("each pair is taken for a subject of its own; correct the table where some share one")
    return rows, tuple(notes)


def _halves(root: Path, mr: str) -> list[_Half]:
    found = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if folder.name in TRANSLATION:
            shown, part = ("CT" if folder.name.endswith("A") else mr), folder.name[:-1]
        elif folder.name.lower() in FOLDERS:
            named = FOLDERS[folder.name.lower()]
            shown, part = (mr if named == "MR" else named), ""
        else:
            continue
        files = {_stem(path, shown): path for path in sorted(folder.iterdir()) if is_scan(path)}
        if files:
            found.append(_Half(shown, part, files))
    return found


def _stem(path: Path, modality: str) -> str:
    """The name without the modality that its folder says already: `fl/Subj1_FL.nii.gz` belongs to `Subj1`."""
    stem = scan_stem(path)
    case, _, last = stem.rpartition("_")
    return case if case and modality_called(last) == modality else stem


def _paired(root: Path, halves: Sequence[_Half]) -> tuple[list[tuple[str, dict[str, Path]]], list[str]]:
    if len({half.modality for half in halves}) != len(halves):
        raise CohortError(f"{root}: two folders show {halves[0].modality}; rename one")
    shared = set.intersection(*(set(half.files) for half in halves))
    if shared:
        notes = _left_over(halves, shared)
        return [
            (stem, {half.modality: half.files[stem] for half in halves}) for stem in sorted(shared)
        ], notes
    numbered = [{_number(stem): path for stem, path in half.files.items()} for half in halves]
    common = set.intersection(*(set(each) - {None} for each in numbered))
    if not common or any(len(each) != len(half.files) for each, half in zip(numbered, halves, strict=True)):
        raise CohortError(
            f"{root}: files of {', '.join(half.modality for half in halves)} can't be paired: no name and no number is "
            "common to all; give pairs the same name"
        )
    stems = {number: f"{halves[0].part or 'pair'}-{number}" for number in common}
    pairs = [
        (stems[number], {half.modality: each[number] for half, each in zip(halves, numbered, strict=True)})
        for number in sorted(common, key=lambda one: int(one or 0))
    ]
    return pairs, [
        "files were paired by the number in their names, which does not prove that they belong together"
    ]


def _left_over(halves: Sequence[_Half], shared: set[str]) -> list[str]:
    alone = [path.name for half in halves for stem, path in half.files.items() if stem not in shared]
    return [f"left out, without a partner of the same name: {listed(alone)}"] if alone else []


def _number(stem: str) -> str | None:
    digits = re.findall(r"\d+", stem)
    return str(int(digits[-1])) if digits else None


def _row(root: Path, part: str, stem: str, scans: dict[str, Path]) -> Row:
    case = stem if not part or stem.startswith(part) else f"{part}-{stem}"
    check_case_name(str(root), case)
    named = SUBJECT.match(stem)
    return Row(case, case if named is None else named.group(), scans)
