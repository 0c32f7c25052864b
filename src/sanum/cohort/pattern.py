"""Cases of a folder whose files are named by a pattern that the user gives: `{subject}/{subject}_{modality}.nii.gz`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sanum.cohort.cells import UNSAFE, check_case_name, listed
from sanum.cohort.table import Row
from sanum.core.errors import CohortError, ConfigError
from sanum.core.names import is_scan, modality_called
from sanum.core.units import MODALITIES

FIELDS = ("subject", "session", "run", "modality")

MASKS: Mapping[str, str] = {
    **dict.fromkeys(("lesion", "mask", "seg", "gt", "gold_standard"), "lesion"),
    **dict.fromkeys(("brain", "brain_mask", "brainmask"), "brain"),
}
"""Words in the place of the modality that name a mask of the case."""


def find_pattern(root: Path, pattern: str, modality: str | None) -> tuple[list[Row], tuple[str, ...]]:
    """One row for each subject, session and run.

    Args:
        root: where the pattern starts.
        pattern: a path below `root` with fields in braces; a field that stands twice must be the same twice, `*` is
            anything within one name. Words for masks in the place of {modality} give the case's masks.
        modality: what the files show where the pattern has no {modality}.

    Raises:
        ConfigError: a pattern that can't be used.
        CohortError: no file fits, two fit one place, or a name that can't be a folder name.
    """
    wanted = _compiled(pattern, modality)
    cases: dict[tuple[str, ...], dict[str, Path]] = {}
    left_out = []
    for path in sorted(path for path in root.rglob("*") if is_scan(path) and path.is_file()):
        name = path.relative_to(root).as_posix()
        fitting = wanted.fullmatch(name)
        told = fitting.groupdict() if fitting else {}
        word = told.pop("modality", None)
        place = modality if word is None else modality_called(word) or MASKS.get(word.lower())
        if fitting is None or place is None:
            left_out.append(name)
            continue
        files = cases.setdefault(tuple(told.get(field) or "" for field in ("subject", "session", "run")), {})
        if place in files:
            raise CohortError(
                f"{root}: {files[place].relative_to(root)} and {name} are both the {place} of one case; add {{session}} "
                "or {run} to the pattern, or make it narrower"
            )
        files[place] = path
    rows = [_row(root, key, files) for key, files in cases.items() if set(files) & set(MODALITIES)]
    if not rows:
        raise CohortError(
            f"{root}: no file fits the pattern {pattern!r}; found {listed(left_out) or 'no scan'}"
        )
    return rows, (f"left out, not of the pattern: {listed(left_out)}",) if left_out else ()


def _compiled(pattern: str, modality: str | None) -> re.Pattern[str]:
    pieces, seen = [], set()
    for literal, field in re.findall(r"([^{}]*)(?:\{([^{}]*)\})?", pattern):
        pieces.append(re.escape(literal).replace(r"\*", "[^/]*"))
        if not field:
            continue
        if field not in FIELDS:
            raise ConfigError(f"pattern {pattern!r}: {{{field}}} is not known; expected {', '.join(FIELDS)}")
        pieces.append(f"(?P={field})" if field in seen else f"(?P<{field}>[^/]+?)")
        seen.add(field)
    if "subject" not in seen:
        raise ConfigError(f"pattern {pattern!r}: {{subject}} is missing; it says whom a file shows")
    if "modality" not in seen and modality is None:
        raise ConfigError(
            f"pattern {pattern!r}: {{modality}} is missing; add it, or give the modality: {', '.join(MODALITIES)}"
        )
    return re.compile("".join(pieces))


def _row(root: Path, key: tuple[str, ...], files: Mapping[str, Path]) -> Row:
    subject, session, run = (UNSAFE.sub("-", text) for text in key)
    case = "_".join(part for part in (subject, session, run) if part)
    check_case_name(str(root), case)
    scans = {name: files[name] for name in MODALITIES if name in files}
    return Row(case, subject, scans, session or None, brain=files.get("brain"), lesion=files.get("lesion"))
