"""The page a person looks at before training: what stands out, what failed, and what the model will be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import CohortError
from sanum.core.files import atomic_path, write_text
from sanum.report import page
from sanum.report.display import CONVENTION, IMAGE_LAYOUT, Tile, slice_layout
from sanum.report.outliers import LISTED, RULE, ScanView, Unusual
from sanum.report.ranking import CaseRow, ContactCase
from sanum.report.sortable import SORTER

MAX_ROWS = 500
"""Rows of each table."""

BETTER = {"higher": "higher is better", "lower": "lower is better", "usual": "as the others"}


def write_contact_sheet(
    cases: Sequence[ContactCase],
    rows: Sequence[CaseRow],
    slices: Mapping[str, NDArray[Any]],
    path: Path,
    *,
    channels: tuple[str, ...],
) -> None:
    """Write the page (`path`, .html) and its pictures as one PNG beside it (same name, .png).

    Tables are capped at `MAX_ROWS`; the page says where.

    Args:
        cases: every case of the cohort.
        rows: its ready cases in order, by `rank_cases`.
        slices: (C, I, J) prepared values in [0, 1] of each case that is to be drawn.
        path: the page.
        channels: name of each channel.

    Raises:
        CohortError: no case at all, or slices that do not fit the channels.
        StorageError: the folder can't be written.
    """
    from sanum.report.measure_figures import draw_measures
    from sanum.report.sheet_figures import draw_histograms, draw_tiles

    if not cases:
        raise CohortError("contact sheet: the cohort has no case; prepare it first")
    _check_channels(slices, channels)
    drawn = [row for row in rows if row.case.case in slices]
    sheet = draw_tiles([_tile(row, slices[row.case.case]) for row in drawn]) if drawn else None
    shades = [row.case.histogram for row in rows if row.case.histogram is not None]
    scans = [(row, view, unusual) for row in rows for view, unusual in row.scans]
    measures = [one for one in LISTED if any(view.value(one) is not None for _, view, _ in scans)]
    first = [row for row in rows if row.stands_out]
    left_out = [case for case in cases if case.status != "ready"]
    text = page.render(
        "contact_sheet.html.j2",
        script=SORTER,
        channels=channels,
        counts=_counts(cases),
        totals=_totals(cases, rows),
        left_out=left_out[:MAX_ROWS],
        left_out_count=len(left_out),
        first=[(row, [*row.flags, *unusual_values(row)]) for row in first[:MAX_ROWS]],
        first_count=len(first),
        scans=[_cells(row, view, unusual, measures) for row, view, unusual in scans[:MAX_ROWS]],
        scan_count=len(scans),
        measures=[(one.title, BETTER[one.better]) for one in measures],
        ready_count=len(rows),
        drawn_count=len(drawn),
        sheet=sheet,
        charts=draw_measures(scans, measures) if measures else None,
        shades=draw_histograms(shades, channels) if shades else None,
        shade_count=len(shades),
        convention=CONVENTION if any(row.case.plane_codes is not None for row in drawn) else "",
        rule=RULE,
    )
    write_text(path, text)
    if sheet is not None:
        with atomic_path(path.with_suffix(".png")) as partial:
            partial.write_bytes(sheet)


def unusual_values(row: CaseRow) -> list[str]:
    """What is unusual about a case, in words: each value beside the usual one."""
    several = len(row.scans) > 1
    told = []
    for view, unusual in row.scans:
        for one in unusual:
            whose = f"{view.scan.modality}: " if several and not one.measure.of_case else ""
            told.append(
                f"{whose}{one.measure.title} {page.number(one.value)}, usual {page.number(one.usual)} "
                f"({one.deviations:.1f} deviations)"
            )
    return told


def _cells(
    row: CaseRow, view: ScanView, unusual: Sequence[Unusual], measures: Sequence[Any]
) -> tuple[list[str], list[str]]:
    """Words and numbers of one line of the table of scans; unusual numbers bear a mark."""
    marked = {one.measure.name for one in unusual}
    numbers = []
    for measure in measures:
        value = view.value(measure)
        mark = "▲ " if measure.name in marked else ""
        numbers.append("–" if value is None else mark + page.number(value))
    return [
        row.case.case,
        view.scan.modality,
        view.site or "–",
        row.case.split or "–",
        row.case.label,
    ], numbers


def _tile(row: CaseRow, shown: NDArray[Any]) -> Tile:
    case = row.case
    layout = IMAGE_LAYOUT if case.plane_codes is None else slice_layout(case.plane_codes)
    pictures = tuple(layout.picture(np.asarray(channel)) for channel in shown)
    return Tile(pictures, case.case, row.stands_out)


def _check_channels(slices: Mapping[str, NDArray[Any]], channels: Sequence[str]) -> None:
    for case, shown in slices.items():
        if len(shown.shape) != 3 or shown.shape[0] != len(channels):
            raise CohortError(
                f"{case}: expected a slice ({len(channels)}, I, J) for {', '.join(channels)}, got {shown.shape}"
            )


def _totals(cases: Sequence[ContactCase], rows: Sequence[CaseRow]) -> dict[str, int]:
    return {
        "ready": len(rows),
        "failed": sum(case.status != "ready" for case in cases),
        "flagged": sum(bool(row.flags) for row in rows),
        "unusual": sum(row.distance > 0 for row in rows),
    }


def _counts(cases: Sequence[ContactCase]) -> list[tuple[str, str, int]]:
    """Number of cases by split and label, then by what became of them."""
    found: dict[tuple[str, str], int] = {}
    for case in cases:
        name = f"{case.split or 'no split'}, {case.label}"
        found[name, case.status] = found.get((name, case.status), 0) + 1
    return [(name, status, count) for (name, status), count in sorted(found.items())]
