"""Which modality is at odds with which, where, and by which score: what a map's parts say about a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sanum.core.findings import Finding
from sanum.core.grid import Grid
from sanum.core.records import AnomalyMap, Prepared, Scan, Side
from sanum.prepare.steps.resample import resample
from sanum.prepare.way_back import to_native
from sanum.workflow.detection import CaseDetection

FUSED = ": fused"
"""Ends the name of the part that fuses one modality's scores."""

NEAR = 1
"""Voxels around a finding's peak that are asked for the score that saw it."""


def with_modalities(case: Prepared, modalities: tuple[str, ...]) -> Prepared:
    """The case as a model of these modalities wants it."""
    if case.modalities == modalities:
        return case
    channels = [case.modalities.index(name) for name in modalities]
    return replace(case, voxels=np.asarray(case.voxels)[channels], modalities=modalities)


def beside_each_other(
    found: CaseDetection, scans: Mapping[str, Scan], prepared: Prepared, scored: AnomalyMap
) -> CaseDetection:
    """The detection of a case of several modalities with each one's scan and map, and findings that name theirs."""
    findings = named(found.findings, scored, prepared)
    return replace(found, findings=findings, sides=sides(scans, prepared, scored))


def sides(scans: Mapping[str, Scan], prepared: Prepared, scored: AnomalyMap) -> tuple[Side, ...]:
    """Every modality on the grid of the first, with its own map; empty for a case of one modality."""
    if len(scans) < 2:
        return ()
    own = modality_maps(scored, prepared)
    return tuple(
        Side(name, _on_grid(scan, prepared.native), _highest_of_channels(name, own))
        for name, scan in scans.items()
    )


def _highest_of_channels(modality: str, own: Mapping[str, AnomalyMap]) -> AnomalyMap | None:
    """The map of a modality, whose channels may be windows ("CT:bone"); None where there is none."""
    maps = [found for name, found in own.items() if name.partition(":")[0] == modality]
    if not maps:
        return None
    return replace(maps[0], values=np.fmax.reduce([found.values for found in maps]))


def modality_maps(scored: AnomalyMap, prepared: Prepared) -> dict[str, AnomalyMap]:
    """The map of each modality in the case's own grid; empty where the detector has no parts by modality."""
    return {
        name.removesuffix(FUSED): to_native(replace(scored, values=values, parts={}), prepared)
        for name, values in scored.parts.items()
        if name.endswith(FUSED)
    }


def _on_grid(scan: Scan, grid: Grid) -> Scan:
    if scan.grid.same_as(grid):
        return scan
    everywhere = np.ones(scan.grid.shape, np.bool_)
    voxels, _ = resample(scan.voxels, everywhere, scan.grid, grid, np.eye(4))
    return replace(scan, voxels=voxels, grid=grid)


def named(findings: Sequence[Finding], scored: AnomalyMap, prepared: Prepared) -> tuple[Finding, ...]:
    """Findings with the modality that is most at odds at their peak, and the score that is most surprised."""
    if not any(name.endswith(FUSED) for name in scored.parts):
        return tuple(findings)
    return tuple(_named(finding, scored, prepared) for finding in findings)


def _named(finding: Finding, scored: AnomalyMap, prepared: Prepared) -> Finding:
    world = prepared.to_model @ prepared.native.affine @ np.array([*finding.peak_voxel, 1.0])
    place = np.linalg.solve(prepared.grid.affine, world)[:3]
    box = tuple(
        slice(max(0, round(middle) - NEAR), round(middle) + NEAR + 1) for middle in (float(x) for x in place)
    )
    near = {name: _mean(values[box]) for name, values in scored.parts.items()}
    sides = {name.removesuffix(FUSED): value for name, value in near.items() if name.endswith(FUSED)}
    modality = max(sides, key=lambda name: sides[name])
    own = {
        name.partition(": ")[2]: value
        for name, value in near.items()
        if not name.endswith(FUSED) and name.startswith((f"{modality}: ", "pair: "))
    }
    return replace(finding, modality=modality, seen_by=max(own, key=lambda name: own[name]))


def _mean(values: NDArray[np.float32]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else 0.0
