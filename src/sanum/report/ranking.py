"""The cases of a cohort in the order in which a person should look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.core.quality import CaseQuality
from sanum.core.records import Label, Split
from sanum.report.outliers import ScanView, Unusual, outliers, views
from sanum.report.unusual import distances_from_typical

MAX_PICTURED = 60
"""Cases that are drawn."""

MAX_FIRST = 40
"""Of those, at most so many because they stand out; the rest are drawn by chance, to show what is usual."""


@dataclass(frozen=True, eq=False)
class ContactCase:
    """One case of a cohort after preparation.

    Attributes:
        case: unique name.
        label, split, site: from the cohort table.
        status: "ready", or what else became of it: "failed" (could not be prepared), "dropped" (by a rule).
        reason: why it is not ready, else empty.
        quality: the record of its measures; None where the store has none.
        histogram: (C, BINS) shares of its prepared values; None when not ready.
        plane_codes: where I and J run, two letters of RAS/LPI; None for images (I rightwards, J upwards).
    """

    case: str
    label: Label
    split: Split | None
    status: str
    reason: str = ""
    site: str = ""
    quality: CaseQuality | None = None
    histogram: NDArray[np.float64] | None = None
    plane_codes: str | None = "RA"


@dataclass(frozen=True)
class CaseRow:
    """One ready case and what is to be said of it.

    Attributes:
        case: the case.
        flags: what preparation found wrong, in words.
        scans: its scans, each with its unusual values, the farthest first.
    """

    case: ContactCase
    flags: tuple[str, ...]
    scans: tuple[tuple[ScanView, tuple[Unusual, ...]], ...]

    @property
    def distance(self) -> float:
        """Robust deviations of its farthest value; 0 where none is unusual."""
        return max((one.deviations for _, unusual in self.scans for one in unusual), default=0.0)

    @property
    def stands_out(self) -> bool:
        """Whether it has a flag or an unusual value."""
        return bool(self.flags) or self.distance > 0


def rank_cases(cases: Sequence[ContactCase]) -> list[CaseRow]:
    """Ready cases: those with flags first, then by their farthest value, then as they came."""
    ready = [case for case in cases if case.status == "ready"]
    told = [(case.case, case.site, case.quality) for case in ready if case.quality is not None]
    scans = views([(name, site, quality) for name, site, quality in told if quality is not None])
    of_case: dict[str, list[tuple[ScanView, tuple[Unusual, ...]]]] = {}
    distances = distances_from_typical(
        {case.case: case.histogram for case in ready if case.histogram is not None}
    )
    scans = _with_distances(scans, distances)
    for view, unusual in zip(scans, outliers(scans), strict=True):
        of_case.setdefault(view.case, []).append((view, unusual))
    rows = [
        CaseRow(
            case,
            () if case.quality is None else case.quality.flags,
            tuple(of_case.get(case.case, ())),
        )
        for case in ready
    ]
    return sorted(rows, key=lambda row: (not row.flags, -row.distance))


def choose_pictured(rows: Sequence[CaseRow], rng: np.random.Generator) -> list[CaseRow]:
    """Up to `MAX_PICTURED` rows in their order: the first of those that stand out, and others by chance."""
    out = [row for row in rows if row.stands_out][:MAX_FIRST]
    others = [row for row in rows if not row.stands_out]
    count = min(len(others), MAX_PICTURED - len(out))
    return out + [others[place] for place in np.sort(rng.choice(len(others), count, replace=False))]


def _with_distances(scans: Sequence[ScanView], distances: Mapping[str, float]) -> list[ScanView]:
    """The case's distance of intensities, shown with its first scan."""
    return [
        ScanView(
            view.case,
            view.site,
            view.of_case,
            view.scan,
            distances.get(view.case) if view.of_case is not None else None,
        )
        for view in scans
    ]
