"""From a data set's own folder names to cases: regular expressions over paths, nothing opened but tables."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sanum.core.errors import CohortError
from sanum.core.names import with_part
from sanum.core.records import Label, Split

LESION, BRAIN = "lesion", "brain"
"""Kinds of file that are masks; every other kind is a modality."""


@dataclass
class FoundCase:
    """One case as the folders tell it.

    Attributes:
        case: unique within the data set.
        subject: whom it shows.
        scans: file of each modality.
        lesion: mask, if any.
        brain: mask, if any.
        label: None where only the lesion mask can tell: healthy when it is empty.
        split: where the data set has one of its own.
        site: scanner or centre.
        age: years.
        sex: as its table says.
    """

    case: str
    subject: str
    scans: dict[str, Path] = field(default_factory=dict)
    lesion: Path | None = None
    brain: Path | None = None
    label: Label | None = None
    split: Split | None = None
    site: str | None = None
    age: float | None = None
    sex: str | None = None


@dataclass(frozen=True)
class Pattern:
    """File names of one kind of folder.

    Attributes:
        path: matched against the end of each path below the data set's folder. Its groups: `kind` (always),
            `subject` (always), and where the names tell them `session`, `site`, `group`.
        kinds: modality, `LESION` or `BRAIN` of each value of `kind`.
        label: of its cases; None where the lesion mask tells.
        labels: of the values of `group`, over `label`.
        splits: of the values of `group`.
        channel: which channel of a colour picture holds the modality, from 1 on; 0 where files are grey.
    """

    path: re.Pattern[str]
    kinds: Mapping[str, str]
    label: Label | None = "lesion"
    labels: Mapping[str, Label] = field(default_factory=dict)
    splits: Mapping[str, Split] = field(default_factory=dict)
    channel: int = 0


@dataclass(frozen=True)
class People:
    """A table of the data set with what is known of its subjects.

    Attributes:
        file: name, searched below the data set's folder.
        subject: column with the subject (or the session of one, see `part`).
        part: what of that column is the subject; its first group.
        age: column in years.
        sex: column.
        healthy: column whose value says that a subject is healthy, and the values that say so; others make
            the label unknown.
    """

    file: str
    subject: str
    part: re.Pattern[str]
    age: str | None = None
    sex: str | None = None
    healthy: tuple[str, tuple[str, ...]] | None = None


def find_cases(folder: Path, patterns: Iterable[Pattern], people: People | None = None) -> list[FoundCase]:
    """List the cases of a data set in its own layout, by name.

    A case that an earlier pattern has found is not added to by a later one.

    Args:
        folder: root of the data set, or a folder above it.
        patterns: of its file names.
        people: its table of subjects, if it has one.

    Raises:
        CohortError: no folder, nothing in it that fits, or two files for one place.
    """
    if not folder.is_dir():
        raise CohortError(f"{folder}: no such folder; give the data set's folder")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found: dict[str, FoundCase] = {}
    for pattern in patterns:
        fresh: dict[str, FoundCase] = {}
        for path in files:
            match = pattern.path.search(path.relative_to(folder).as_posix())
            if match is not None:
                _add(fresh, pattern, match, path)
        found = {**{name: case for name, case in fresh.items() if case.scans}, **found}
    if not found:
        raise CohortError(f"{folder}: no file of this data set's own layout; unpack it as it was downloaded")
    if people is not None:
        _add_people(folder, people, found.values())
    return [found[name] for name in sorted(found)]


def _add(cases: dict[str, FoundCase], pattern: Pattern, match: re.Match[str], path: Path) -> None:
    parts = match.groupdict()
    subject = parts["subject"]
    group = parts.get("group") or ""
    site = parts.get("site")
    pieces = [site, subject, parts.get("session")]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", "_".join(piece for piece in pieces if piece))
    whom = subject if site is None else re.sub(r"[^A-Za-z0-9._-]+", "-", f"{site}_{subject}")
    label = pattern.labels.get(group, pattern.label)
    fresh = FoundCase(name, whom, label=label, split=pattern.splits.get(group), site=site)
    case = cases.setdefault(name, fresh)
    kind = pattern.kinds[parts["kind"]]
    present = {**case.scans, LESION: case.lesion, BRAIN: case.brain}.get(kind)
    if present is not None:
        raise CohortError(f"{path}: case {name} has two files for {kind}, the other is {present}; keep one")
    if kind == LESION:
        case.lesion = path
    elif kind == BRAIN:
        case.brain = path
    else:
        case.scans[kind] = with_part(path, str(pattern.channel)) if pattern.channel else path


def _add_people(folder: Path, people: People, cases: Iterable[FoundCase]) -> None:
    table = next(iter(sorted(folder.rglob(people.file))), None)
    if table is None:
        return
    text = table.read_text(encoding="utf-8-sig")
    rows = csv.DictReader(text.splitlines(), delimiter="\t" if table.suffix == ".tsv" else ",")
    known: dict[str, dict[str, str]] = {}
    for row in rows:
        match = people.part.search(row.get(people.subject) or "")
        if match is not None:
            known.setdefault(match[1], row)
    for case in cases:
        _describe(case, people, known.get(case.subject, {}))


def _describe(case: FoundCase, people: People, row: Mapping[str, str]) -> None:
    case.age = _number(row.get(people.age or "", ""))
    case.sex = row.get(people.sex or "", "").strip() or None
    if people.healthy is not None:
        column, values = people.healthy
        case.label = "healthy" if row and row.get(column, "").strip() in values else "unknown"


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
