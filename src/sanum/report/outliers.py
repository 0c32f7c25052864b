"""Which scans lie apart from their kind, and in which measure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sanum.core.quality import MEASURES, CaseQuality, Measure, ScanQuality
from sanum.report.unusual import UNUSUAL, robust_deviations

MIN_GROUP = 8
"""A site with fewer scans of a modality is compared with all scans of that modality."""

INTENSITY_DISTANCE = Measure(
    "intensity_distance", "Prepared values, distance from the cohort's", "lower", False, 0.005, of_case=True
)
"""Of a case's histogram from the median one (earth mover's); it is known only beside the other cases."""

LISTED = (*MEASURES, INTENSITY_DISTANCE)
"""Every measure that a page shows."""

RULE = (
    f"A value is unusual when it lies {UNUSUAL:g} or more robust standard deviations (1.4826 · median absolute "
    "deviation) from the median of its kind, in the worse direction where the measure has one. Its kind is the same "
    "modality at the same site, or the same modality at all sites where a site has fewer than "
    f"{MIN_GROUP} scans of it. Ratios are compared by their logarithms. A spread smaller than rounding counts as "
    "rounding."
)
"""The rule in words, as the page states it."""


@dataclass(frozen=True)
class ScanView:
    """One scan of a ready case, as the page lists it.

    Attributes:
        case: name of the case.
        site: from the cohort table, "" where it does not say.
        of_case: the case's measures; shown with its first scan only.
        scan: the scan's own.
        intensity_distance: of the case's prepared values from the cohort's, as for `of_case`.
    """

    case: str
    site: str
    of_case: CaseQuality | None
    scan: ScanQuality
    intensity_distance: float | None = None

    def value(self, measure: Measure) -> float | None:
        """The measure's value; None where the scan does not hold it."""
        if measure is INTENSITY_DISTANCE:
            return self.intensity_distance
        source = self.of_case if measure.of_case else self.scan
        found: float | None = None if source is None else getattr(source, measure.name)
        return found


@dataclass(frozen=True)
class Unusual:
    """One value that lies apart: its measure, the median of its kind, and how many robust deviations off it lies."""

    measure: Measure
    value: float
    usual: float
    deviations: float


def views(cases: Sequence[tuple[str, str, CaseQuality]]) -> list[ScanView]:
    """One view a scan, of cases as (name, site, quality)."""
    return [
        ScanView(case, site, quality if place == 0 else None, scan)
        for case, site, quality in cases
        for place, scan in enumerate(quality.scans)
    ]


def groups(scans: Sequence[ScanView]) -> list[tuple[str, str]]:
    """(modality, site) with which each scan is compared; the site is "" where all sites are one."""
    counts = Counter((view.scan.modality, view.site) for view in scans)
    return [
        (view.scan.modality, view.site if counts[view.scan.modality, view.site] >= MIN_GROUP else "")
        for view in scans
    ]


def outliers(scans: Sequence[ScanView]) -> list[tuple[Unusual, ...]]:
    """Unusual values of each scan, the farthest first; the rule is `RULE`."""
    found: list[list[Unusual]] = [[] for _ in scans]
    kinds = groups(scans)
    for kind in dict.fromkeys(kinds):
        members = [
            place
            for place, (view, own) in enumerate(zip(scans, kinds, strict=True))
            if own == kind or (kind[1] == "" and view.scan.modality == kind[0])
        ]
        judged = {place for place in members if kinds[place] == kind}
        for measure in LISTED:
            values = {place: scans[place].value(measure) for place in members}
            known = {place: value for place, value in values.items() if value is not None}
            for place, one in _unusual(measure, known).items():
                if place in judged:
                    found[place].append(one)
    return [tuple(sorted(one, key=lambda value: -value.deviations)) for one in found]


def _unusual(measure: Measure, known: Mapping[int, float]) -> dict[int, Unusual]:
    if measure.ratio:
        known = {place: value for place, value in known.items() if value > 0}
    values = np.array(list(known.values()), dtype=np.float64)
    compared = np.log(values) if measure.ratio else values
    signed = robust_deviations(compared, measure.least)
    far = {"higher": -signed, "lower": signed, "usual": np.abs(signed)}[measure.better]
    return {
        place: Unusual(measure, value, float(np.median(values)), float(distance))
        for (place, value), distance in zip(known.items(), far, strict=True)
        if distance >= UNUSUAL
    }
