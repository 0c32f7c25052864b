"""Look over a prepared store: one page, one table, and what should stop the next step."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sanum.core.files import write_text
from sanum.core.records import Prepared
from sanum.prepare.store import ManifestRow, Store
from sanum.report.contact_sheet import unusual_values, write_contact_sheet
from sanum.report.outliers import LISTED
from sanum.report.ranking import CaseRow, ContactCase, choose_pictured, rank_cases
from sanum.report.unusual import histogram

FailOn = Literal["never", "failed", "flagged", "unusual"]
"""From which fault on a store does not pass: each word includes those before it."""


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        page: the HTML page; its pictures stand beside it as a PNG.
        table: a line a scan, with every measure.
        ready: number of ready cases.
        failed, flagged, unusual: by name of the case, why.
    """

    page: Path
    table: Path
    ready: int
    failed: Mapping[str, str]
    flagged: Mapping[str, str]
    unusual: Mapping[str, str]

    def passes(self, fail_on: FailOn) -> bool:
        """Whether nothing was found that `fail_on` names."""
        wanted = {"never": 0, "failed": 1, "flagged": 2, "unusual": 3}[fail_on]
        return not any((self.failed, self.flagged, self.unusual)[:wanted])


def check(folder: Path, page: Path, *, seed: int = 0) -> Checked:
    """Draw a store's contact sheet, outliers first, and write every measure of every scan into a table beside it.

    Args:
        folder: the store.
        page: HTML file to write; a PNG of the slices and a TSV of the measures stand beside it.
        seed: of the choice of usual cases that are drawn.

    Raises:
        CohortError: not a store, or damaged.
        StorageError: the folder can't be written.
    """
    store = Store.open(folder)
    cases = [_contact_case(store, row) for row in store.manifest()]
    rows = rank_cases(cases)
    drawn = choose_pictured(rows, np.random.default_rng(seed))
    slices = {row.case.case: _fullest_slice(store.load(row.case.case)) for row in drawn}
    write_contact_sheet(cases, rows, slices, page, channels=store.preparation.channels)
    table = page.with_suffix(".tsv")
    write_text(table, _table(cases, rows))
    return Checked(
        page=page,
        table=table,
        ready=len(rows),
        failed={case.case: case.reason for case in cases if case.status != "ready"},
        flagged={row.case.case: "; ".join(row.flags) for row in rows if row.flags},
        unusual={row.case.case: "; ".join(unusual_values(row)) for row in rows if row.distance > 0},
    )


def _contact_case(store: Store, row: ManifestRow) -> ContactCase:
    prepared = store.load(row.case) if row.status == "ready" else None
    return ContactCase(
        case=row.case,
        label=row.label,
        split=row.split,
        site=row.site,
        status=row.status,
        reason=row.reason,
        quality=None if prepared is None else prepared.quality,
        histogram=None if prepared is None else histogram(_filled_slices(prepared)),
        plane_codes=None if prepared is not None and prepared.is_image else "RA",
    )


def _filled_slices(prepared: Prepared) -> NDArray[Any]:
    """The stored slices between the first and last with mask, (n, C, I, J), not yet read."""
    ends = np.flatnonzero(prepared.mask.any(axis=(0, 1)))[[0, -1]]
    return np.moveaxis(prepared.voxels[..., int(ends[0]) : int(ends[1]) + 1], -1, 0)


def _fullest_slice(prepared: Prepared) -> NDArray[Any]:
    """The axial slice (C, I, J) with the most brain."""
    fullest = int(np.argmax(np.count_nonzero(prepared.mask, axis=(0, 1))))
    return np.ascontiguousarray(prepared.voxels[..., fullest])


def _table(cases: Sequence[ContactCase], rows: Sequence[CaseRow]) -> str:
    """TSV: a line a scan, in the page's order, then a line a case that is not ready."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    names = [measure.name for measure in LISTED]
    writer.writerow(
        (
            "case",
            "modality",
            "site",
            "label",
            "split",
            "status",
            "reason",
            "flags",
            "unusual",
            "deviations",
            *names,
        )
    )
    for row in rows:
        case, flags = row.case, " | ".join(row.flags)
        known = (case.site, case.label, case.split or "", case.status, case.reason)
        for view, unusual in row.scans:
            far = f"{unusual[0].deviations:.2f}" if unusual else ""
            values = [view.value(measure) for measure in LISTED]
            told = ["" if value is None else f"{value:.6g}" for value in values]
            marked = " ".join(one.measure.name for one in unusual)
            writer.writerow((case.case, view.scan.modality, *known, flags, marked, far, *told))
        if not row.scans:
            writer.writerow((case.case, "", *known, flags, "", "", *[""] * len(names)))
    for case in cases:
        if case.status != "ready":
            known = (case.site, case.label, case.split or "", case.status, " ".join(case.reason.split()))
            writer.writerow((case.case, "", *known, "", "", "", *[""] * len(names)))
    return text.getvalue()
