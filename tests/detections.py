"""Made decisions on phantom brains, for everything that shows a decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sanum.core.records import AnomalyMap, Detection, Finding, Provenance, Rule, Scan, Side, Step
from tests.phantoms import RAS_2MM, brain_scan, ellipsoid

LESION_MM = (-28.0, -40.0, 20.0)
CARD: dict[str, Any] = {
    "name": "demo",
    "detector": "restore",
    "modalities": ["T1w"],
    "calibration": {"subjects": 20, "score_max": 0.2},
    "cohort": "made",
    "seed": 0,
}


@dataclass(frozen=True, eq=False)
class SeenDetection(Detection):
    """A detection with its scan, as a model gives it."""

    scan: Scan | None = None
    sides: tuple[Side, ...] = ()


def provenance(scan: Scan) -> Provenance:
    return Provenance(
        model_name="demo",
        model_sha256="c" * 64,
        detector="restore",
        version="0.1.0",
        created="2026-01-02T03:04:05+00:00",
        seconds=1.5,
        sources=(scan.source,),
        steps=(Step("brain_mask", {"brain_ml": 1234.5}),),
    )


def abnormal(scan: Scan | None = None, case: str = "case-1") -> SeenDetection:
    """An abnormal case with one finding on the patient's left, at the back."""
    scan = scan or brain_scan(affine=RAS_2MM, lesion=True)
    marked = ellipsoid(scan.grid, LESION_MM, (12, 12, 12))
    values = np.where(scan.voxels != 0, np.where(marked, 0.5, 0.01), np.nan).astype(np.float32)
    peak = tuple(int(index) for index in scan.grid.to_voxel(np.array(LESION_MM)).round())
    values[peak] = 0.9
    finding = Finding(1, 7.2, "ml", 0.9, 0.5, LESION_MM, peak)
    return SeenDetection(
        case=case,
        status="abnormal",
        provenance=provenance(scan),
        score=0.4,
        threshold=0.2,
        p_value=1 / 21,
        rule=Rule("conformal", 0.05),
        findings=(finding,),
        anomaly_map=AnomalyMap(case, values, scan.grid, "restore"),
        map_scale=(0.1, 0.5),
        scan=scan,
    )


def normal(scan: Scan | None = None) -> SeenDetection:
    scan = scan or brain_scan()
    values = np.where(scan.voxels != 0, 0.01, np.nan).astype(np.float32)
    return SeenDetection(
        case="case-2",
        status="normal",
        provenance=provenance(scan),
        score=0.1,
        threshold=0.2,
        p_value=0.5,
        rule=Rule(),
        anomaly_map=AnomalyMap("case-2", values, scan.grid, "restore"),
        map_scale=(0.1, 0.5),
        scan=scan,
    )


def refused(reason: str, scan: Scan | None = None) -> SeenDetection:
    return SeenDetection("case-3", "refused", provenance(brain_scan()), reason=reason, scan=scan)
