"""The page a person looks at before training: what the model will be shown, and what was left out and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import CohortError
from sanum.core.files import atomic_path, write_text
from sanum.core.records import Label, Split
from sanum.report import page
from sanum.report.display import CONVENTION, IMAGE_LAYOUT, Tile, slice_layout
from sanum.report.unusual import UNUSUAL, distances_from_typical, histogram, robust_z

MAX_PICTURED = 60
"""Cases that are drawn and whose histogram is measured."""
MAX_ROWS = 500
"""Rows of each table."""
TIMING = "seconds"
"""Ending of facts that tell about the machine and not about the scan; they make no case unusual."""

Item = TypeVar("Item")


@dataclass(frozen=True, eq=False)
class ContactCase:
    """One case of a cohort after preparation.

    Attributes:
        case: unique name.
        label, split: from the cohort table.
        status: "ready", or what else became of it: "failed" (could not be prepared), "dropped" (by a rule).
        reason: why it is not ready, else empty.
        slices: (n, C, I, J) prepared values in [0, 1]; None when not ready, or not to be pictured.
        facts: what preparation measured; numbers are searched for outliers.
        plane_codes: where I and J run, two letters of RAS/LPI; None for images (I rightwards, J upwards).
    """

    case: str
    label: Label
    split: Split | None
    status: str
    reason: str = ""
    slices: NDArray[Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    plane_codes: str | None = "RA"


@dataclass(frozen=True)
class CaseRow:
    """One line of the table of facts: how far the case lies from the rest, and in what."""

    case: ContactCase
    facts: Mapping[str, Any]
    distance: float
    unusual: tuple[str, ...]


def write_contact_sheet(
    cases: Sequence[ContactCase], path: Path, *, modalities: tuple[str, ...], seed: int = 0
) -> None:
    """Write the page (`path`, .html) and its pictures as one PNG beside it (same name, .png).

    Pictures, histograms and tables are capped (`MAX_PICTURED`, `MAX_ROWS`); the page says where.

    Args:
        cases: every case of the cohort; slices are wanted of at most `MAX_PICTURED` of them.
        path: the page.
        modalities: name of each channel.
        seed: of the random choice of cases and slices.

    Raises:
        CohortError: no case at all, or slices that do not fit the modalities.
        StorageError: the folder can't be written.
    """
    from sanum.report.sheet_figures import draw_histograms, draw_tiles

    if not cases:
        raise CohortError("contact sheet: the cohort has no case; prepare it first")
    rng = np.random.default_rng(seed)
    ready = [case for case in cases if case.status == "ready"]
    pictured = _sample([case for case in ready if len(_slices(case))], MAX_PICTURED, rng)
    _check_channels(pictured, modalities)
    histograms = {case.case: histogram(_slices(case)) for case in pictured}
    rows = rank_cases([case for case in ready if case.facts or case.case in histograms], histograms)
    sheet = draw_tiles([_tile(row, rng) for row in rows if row.case in pictured]) if pictured else None
    left_out = [case for case in cases if case.status != "ready"]
    text = page.render(
        "contact_sheet.html.j2",
        modalities=modalities,
        seed=seed,
        counts=_counts(cases),
        left_out=left_out[:MAX_ROWS],
        left_out_count=len(left_out),
        rows=rows[:MAX_ROWS],
        ready_count=len(ready),
        pictured_count=len(pictured),
        columns=list(dict.fromkeys(key for row in rows for key in row.facts)),
        sheet=sheet,
        shades=draw_histograms(list(histograms.values()), modalities) if histograms else None,
        convention=CONVENTION if any(case.plane_codes is not None for case in pictured) else "",
        unusual=UNUSUAL,
    )
    write_text(path, text)
    if sheet is not None:
        with atomic_path(path.with_suffix(".png")) as partial:
            partial.write_bytes(sheet)


def rank_cases(cases: Sequence[ContactCase], histograms: Mapping[str, NDArray[np.float64]]) -> list[CaseRow]:
    """Cases with the most unusual first, by the largest robust z-score over all numeric facts.

    The distance of a case's intensity histogram from the typical one counts as one more fact.

    Args:
        cases: ready cases.
        histograms: (C, BINS) shares by name of the case, where they were measured.
    """
    distances = distances_from_typical(histograms)
    all_facts = [
        {**case.facts, **({"intensity_distance": distances[case.case]} if case.case in distances else {})}
        for case in cases
    ]
    keys = dict.fromkeys(key for facts in all_facts for key in facts if not key.endswith(TIMING))
    scores = {
        key: robust_z([facts.get(key) for facts in all_facts], upward_only=key == "intensity_distance")
        for key in keys
    }
    rows = []
    for place, (case, facts) in enumerate(zip(cases, all_facts, strict=True)):
        far = {key: float(values[place]) for key, values in scores.items()}
        unusual = tuple(key for key, value in far.items() if value >= UNUSUAL)
        rows.append(CaseRow(case, facts, max(far.values(), default=0.0), unusual))
    return sorted(rows, key=lambda row: -row.distance)


def _tile(row: CaseRow, rng: np.random.Generator) -> Tile:
    case, slices = row.case, _slices(row.case)
    place = int(rng.integers(len(slices)))
    layout = IMAGE_LAYOUT if case.plane_codes is None else slice_layout(case.plane_codes)
    pictures = tuple(layout.picture(np.asarray(channel)) for channel in slices[place])
    return Tile(pictures, f"{case.case} · {place + 1}/{len(slices)}", bool(row.unusual))


def _slices(case: ContactCase) -> NDArray[Any]:
    return np.empty((0, 1, 1, 1), np.float32) if case.slices is None else case.slices


def _sample(items: Sequence[Item], count: int, rng: np.random.Generator) -> list[Item]:
    if len(items) <= count:
        return list(items)
    return [items[place] for place in np.sort(rng.choice(len(items), count, replace=False))]


def _check_channels(cases: Sequence[ContactCase], modalities: Sequence[str]) -> None:
    for case in cases:
        shape = _slices(case).shape
        if len(shape) != 4 or shape[1] != len(modalities):
            raise CohortError(
                f"{case.case}: expected slices (n, {len(modalities)}, I, J) for "
                f"{', '.join(modalities)}, got {shape}"
            )


def _counts(cases: Sequence[ContactCase]) -> list[tuple[str, str, int]]:
    """Number of cases by split and label, then by what became of them."""
    groups: dict[tuple[str, str], int] = {}
    for case in cases:
        name = f"{case.split or 'no split'}, {case.label}"
        groups[name, case.status] = groups.get((name, case.status), 0) + 1
    return [(name, status, count) for (name, status), count in sorted(groups.items())]
