"""Fill the contact sheet from a prepared store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sanum.core.records import Prepared
from sanum.prepare.store import ManifestRow, Store
from sanum.report.contact_sheet import MAX_PICTURED, ContactCase, write_contact_sheet

SLICES_A_CASE = 3


def check(folder: Path, page: Path, *, seed: int = 0) -> Path:
    """Draw random slices, histograms, and what was dropped and why, of a store.

    Args:
        folder: the store.
        page: HTML file to write; a PNG of the slices stands beside it.
        seed: of the cases and slices that are drawn.

    Raises:
        CohortError: not a store, or damaged.
    """
    store = Store.open(folder)
    rng = np.random.default_rng(seed)
    rows = store.manifest()
    ready = [index for index, row in enumerate(rows) if row.status == "ready"]
    pictured = set(rng.permutation(ready)[:MAX_PICTURED].tolist())
    cases = [_contact_case(store, row, index in pictured, rng) for index, row in enumerate(rows)]
    write_contact_sheet(cases, page, modalities=store.preparation.channels)
    return page


def _contact_case(store: Store, row: ManifestRow, pictured: bool, rng: np.random.Generator) -> ContactCase:
    prepared = store.load(row.case) if pictured else None
    return ContactCase(
        case=row.case,
        label=row.label,
        split=row.split,
        status=row.status,
        reason=row.reason,
        slices=None if prepared is None else _random_slices(prepared, rng),
        facts={} if prepared is None else _facts(prepared),
        plane_codes=None if prepared is not None and prepared.is_image else "RA",
    )


def _random_slices(prepared: Prepared, rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Slices of the case with mask, ascending, shape (n, C, I, J)."""
    filled = np.flatnonzero(prepared.mask.any(axis=(0, 1)))
    chosen = np.sort(rng.choice(filled, min(SLICES_A_CASE, len(filled)), replace=False))
    return np.ascontiguousarray(np.moveaxis(prepared.voxels[..., chosen], -1, 0))


def _facts(prepared: Prepared) -> dict[str, Any]:
    """Every number that a preparation step measured, by step and name."""
    return {
        f"{step.name}.{name}": value
        for step in prepared.steps
        for name, value in step.facts.items()
        if isinstance(value, int | float)
    }
