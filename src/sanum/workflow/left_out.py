"""What a person should hear before scans teach or calibrate: which are left out, which are used but flagged, and why."""

from __future__ import annotations

from collections.abc import Mapping

from sanum.prepare.store import Store

NAMED = 10
"""Scans named of each kind."""


def remarks(store: Store) -> str:
    """A line a scan that failed or is flagged; empty where there is none."""
    rows = store.manifest()
    failed = {row.case: row.reason for row in rows if row.status != "ready"}
    flagged = {}
    for row in rows:
        quality = store.load(row.case).quality if row.status == "ready" else None
        if quality is not None and quality.flags:
            flagged[row.case] = "; ".join(quality.flags)
    told = [
        *_listed(f"{len(failed)} of {len(rows)} scans could not be prepared and are left out:", failed),
        *_listed(f"{len(flagged)} of {len(rows)} scans are used but flagged, look at them:", flagged),
    ]
    return "\n".join(told)


def _listed(title: str, reasons: Mapping[str, str]) -> list[str]:
    if not reasons:
        return []
    lines = [f"  {case}: {reason}" for case, reason in list(reasons.items())[:NAMED]]
    more = len(reasons) - len(lines)
    return [
        title,
        *lines,
        *([f"  and {more} more; `sanum check` lists all of a store that `folder=` keeps"] if more else []),
    ]
