"""Cases of a BIDS data set: `sub-*[/ses-*]/anat` and `participants.tsv`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sanum.cohort.cells import MISSING, age_of, check_case_name, listed, read_cells
from sanum.cohort.sidecars import scanner_of
from sanum.cohort.table import KNOWN_COLUMNS, Row
from sanum.core.errors import CohortError
from sanum.core.names import NIFTI_SUFFIXES, modality_of, scan_stem

SEXES = {"m": "M", "male": "M", "f": "F", "female": "F"}
"""Spellings that become M or F; others stay as they are."""


@dataclass(frozen=True)
class Person:
    """What `participants.tsv` says of a subject; fields as in `Row`."""

    site: str | None = None
    age: float | None = None
    sex: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


def is_bids(root: Path) -> bool:
    """Whether a folder looks like a BIDS data set."""
    return (root / "dataset_description.json").is_file() or any(path.is_dir() for path in root.glob("sub-*"))


def find_bids(root: Path) -> tuple[list[Row], tuple[str, ...]]:
    """One row for each subject, session and run; of two scans of one modality the shorter name counts.

    Where `participants.tsv` names no site, the scanner that the first scan's sidecars name stands for it.

    Raises:
        CohortError: `participants.tsv` is no such table, a sidecar is no JSON object, or a name that can't be a
            folder name.
    """
    people = read_participants(root / "participants.tsv")
    scans: dict[tuple[str, str | None, str | None], dict[str, Path]] = {}
    left_out: list[str] = []
    for path in sorted(_anat_files(root), key=lambda path: (len(path.name), path)):
        modality = modality_of(path)
        entities = scan_stem(path).split("_")
        run = next((entity for entity in entities if entity.startswith("run-")), None)
        session = path.parent.parent.name if path.parent.parent.parent != root else None
        subject = path.relative_to(root).parts[0]
        found = scans.setdefault((subject, session, run), {})
        if modality is None or modality in found or "part-phase" in entities:
            left_out.append(path.name)
        else:
            found[modality] = path
    rows = [
        _row(key, found, people, root)
        for key, found in sorted(scans.items(), key=lambda item: tuple(part or "" for part in item[0]))
        if found
    ]
    notes = (f"left out, of another kind or a second scan: {listed(left_out)}",) if left_out else ()
    return rows, notes


def read_participants(path: Path) -> dict[str, Person]:
    """Read what is known of each subject, by `sub-…` label; nothing when the file is missing.

    Columns age, sex or gender, and site are recognised in any case; others are carried along, as
    `participant_…` where the name already means something in a cohort table.

    Raises:
        CohortError: no column `participant_id`, or not tab-separated text.
    """
    if not path.is_file():
        return {}
    header, lines = read_cells(path)
    if "participant_id" not in header:
        raise CohortError(f"{path}: column 'participant_id' is missing; got: {', '.join(header)}")
    people = {}
    for _, cells in lines:
        values = {
            name: cell for name, cell in zip(header, cells, strict=True) if cell not in MISSING and name
        }
        label = values.pop("participant_id", "")
        people[label if label.startswith("sub-") else f"sub-{label}"] = _person(values)
    return people


def _anat_files(root: Path) -> list[Path]:
    folders = [*root.glob("sub-*/anat"), *root.glob("sub-*/ses-*/anat")]
    return [path for folder in folders for path in folder.iterdir() if _is_nifti(path)]


def _is_nifti(path: Path) -> bool:
    return not path.name.startswith(".") and path.name.lower().endswith(NIFTI_SUFFIXES)


def _row(
    key: tuple[str, str | None, str | None],
    scans: Mapping[str, Path],
    people: Mapping[str, Person],
    root: Path,
) -> Row:
    subject, session, _ = key
    case = "_".join(part for part in key if part is not None)
    first = next(iter(scans.values()))
    check_case_name(str(first), case)
    person = people.get(subject, Person())
    return Row(
        case,
        subject,
        scans,
        session,
        site=person.site or scanner_of(first, root),
        age=person.age,
        sex=person.sex,
        extra=person.extra,
    )


def _person(values: Mapping[str, str]) -> Person:
    by_lower = {name.lower(): value for name, value in values.items()}
    sex = by_lower.get("sex", by_lower.get("gender"))
    age = age_of(by_lower["age"]) if "age" in by_lower else None
    used = {"site", "sex", "gender"} | ({"age"} if age is not None else set())
    reserved = {name.lower() for name in KNOWN_COLUMNS}
    extra = {
        f"participant_{name}" if name.lower() in reserved else name: value
        for name, value in values.items()
        if name.lower() not in used
    }
    return Person(by_lower.get("site"), age, None if sex is None else SEXES.get(sex.lower(), sex), extra)
