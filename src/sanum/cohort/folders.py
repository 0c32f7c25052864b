"""Cases of a folder without a standard, by how its file names relate."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sanum.cohort.cells import check_case_name, listed
from sanum.cohort.table import Row
from sanum.core.errors import CohortError
from sanum.core.names import is_scan, modality_of, scan_stem
from sanum.core.units import MODALITIES

MASK_ENDINGS = {
    "_brain_mask": "brain",
    "_desc-brain_mask": "brain",
    "_brainmask": "brain",
    "_brain": "brain",
    "_lesion_mask": "lesion",
    "_label-lesion_mask": "lesion",
    "_lesion": "lesion",
    "_mask": "lesion",
}
"""How the name of a mask goes on from its scan's or its case's; of two for one place the upper counts."""

SUBJECT = re.compile(r"sub-[A-Za-z0-9]+(?=_|$)")
SESSION = re.compile(r"_(ses-[A-Za-z0-9]+)(?=_|$)")


@dataclass
class Names:
    """A folder's files while they are sorted out.

    Attributes:
        scans: case to modality to file.
        case_of: case of each name that other names may go on from.
        masks: case to "brain" or "lesion" to file.
        left_out: files that are no scan and no mask of one.
    """

    scans: dict[str, dict[str, Path]] = field(default_factory=dict)
    case_of: dict[str, str] = field(default_factory=dict)
    masks: dict[str, dict[str, Path]] = field(default_factory=dict)
    left_out: list[Path] = field(default_factory=list)

    def add_scan(self, case: str, modality: str, path: Path) -> None:
        """Take a file for a scan of a case; refuses a second one of a modality."""
        found = self.scans.setdefault(case, {})
        if modality in found:
            raise CohortError(
                f"{path.parent}: case {case!r} has two {modality} scans, {found[modality].name} and {path.name}; "
                "rename or remove one"
            )
        found[modality] = path
        self.case_of[scan_stem(path)] = self.case_of[case] = case

    def add_companion(self, path: Path, start: str) -> None:
        """Take a file for a mask of what its name goes on from, where it says so."""
        role = MASK_ENDINGS.get(scan_stem(path)[len(start) :].lower())
        masks = self.masks.setdefault(self.case_of[start], {})
        if role is None or role in masks:
            self.left_out.append(path)
        else:
            masks[role] = path

    def start_of(self, stem: str) -> str | None:
        """The longest known name that `stem` goes on from after an underscore."""
        cuts = [match.start() for match in re.finditer("_", stem)]
        return next((stem[:cut] for cut in reversed(cuts) if stem[:cut] in self.case_of), None)


def is_paired(root: Path) -> bool:
    """Whether a folder holds `image` and `lesion`."""
    return (root / "image").is_dir() and (root / "lesion").is_dir()


def find_plain(root: Path, modality: str | None) -> tuple[list[Row], tuple[str, ...]]:
    """One row a case; notes on files left out and on who is taken for whom.

    Files that tell no modality are scans of `modality`. Without one they are left out where others do tell.

    Raises:
        CohortError: no file tells its modality and none is given, two scans for one place, or a name that
            can't be a folder name.
    """
    files = sorted(path for path in root.iterdir() if is_scan(path) and path.is_file())
    names = sort_out(root, files, modality)
    rows = [
        row_of(root, case, scans, names.masks.get(case, {})) for case, scans in sorted(names.scans.items())
    ]
    notes: tuple[str, ...] = ()
    if names.left_out:
        notes += (
            f"left out, no scan of their own by name: {listed([path.name for path in names.left_out])}",
        )
    if any(row.subject == row.case and SUBJECT.fullmatch(row.case) is None for row in rows):
        notes += (
            "each case without a sub- label is taken for a subject of its own; correct the table where some share one",
        )
    return rows, notes


def find_paired(root: Path, modality: str | None) -> tuple[list[Row], tuple[str, ...]]:
    """Rows of `image`, each with the file of `lesion` that is named as its case or its scan.

    Raises:
        CohortError: as `find_plain`.
    """
    rows, notes = find_plain(root / "image", modality)
    lesions = {scan_stem(path): path for path in sorted((root / "lesion").iterdir()) if is_scan(path)}
    used: set[str] = set()
    paired = []
    for row in rows:
        stems = (row.case, *(scan_stem(path) for path in row.scans.values()))
        stem = next((stem for stem in stems if stem in lesions), None)
        used |= {stem} if stem is not None else set()
        paired.append(row if stem is None else replace(row, lesion=lesions[stem]))
    if unused := [path.name for stem, path in lesions.items() if stem not in used]:
        notes += (f"lesion masks without an image: {listed(unused)}",)
    return paired, notes


def sort_out(root: Path, files: Sequence[Path], modality: str | None) -> Names:
    """Which files of one folder are scans of which case, which are masks of them, and which are neither.

    Raises:
        CohortError: as `find_plain`.
    """
    names = Names()
    unnamed = []
    for path in files:
        told = modality_of(path)
        if told is None:
            unnamed.append(path)
        else:
            names.add_scan(scan_stem(path).rpartition("_")[0] or root.name, told, path)
    companions = []
    for path in sorted(unnamed, key=lambda path: (len(scan_stem(path)), path)):
        stem = scan_stem(path)
        start = names.start_of(stem)
        if start is not None:
            companions.append((path, start))
        elif is_mask(stem) or (modality is None and names.scans):
            names.left_out.append(path)
        elif modality is None:
            raise CohortError(
                f"{root}: the name {path.name} does not tell the modality; name files like "
                f"{stem}_T1w, or give the modality: {', '.join(MODALITIES)}"
            )
        else:
            names.add_scan(stem, modality, path)
    order = list(MASK_ENDINGS)
    for path, start in sorted(companions, key=lambda item: _rank(order, scan_stem(item[0])[len(item[1]) :])):
        names.add_companion(path, start)
    return names


def _rank(order: Sequence[str], ending: str) -> int:
    return order.index(ending.lower()) if ending.lower() in order else len(order)


def is_mask(stem: str) -> bool:
    """Whether a name says mask even with no scan beside it; `_brain` alone may be an extracted brain."""
    return stem.lower().endswith(tuple(ending for ending in MASK_ENDINGS if ending != "_brain"))


def row_of(root: Path, case: str, scans: Mapping[str, Path], masks: Mapping[str, Path]) -> Row:
    """The row of a case, with subject and session as its name tells them.

    Raises:
        CohortError: a name that can't be a folder name.
    """
    check_case_name(str(root), case)
    named = SUBJECT.match(case)
    session = SESSION.search(case)
    subject = SESSION.sub("", case) if named is None else named.group()
    ordered = {name: scans[name] for name in MODALITIES if name in scans}
    return Row(
        case,
        subject,
        ordered,
        None if session is None else session.group(1),
        brain=masks.get("brain"),
        lesion=masks.get("lesion"),
    )
