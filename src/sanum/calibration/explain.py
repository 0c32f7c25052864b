"""What stands behind a finding: healthy maps at its place, and the members of an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sanum.core.findings import Finding, MemberAnswer
from sanum.core.grid import Grid
from sanum.core.records import PLACE_BLOCK, PLACE_STEP, Calibration, MemberMap

NEAR_MM = 5.0
"""A member agrees with a finding where its own map is high this near to the peak (pixels in an image)."""

Place = tuple[float, float, float]
Index = tuple[int, int, int]


def with_healthy_place(finding: Finding, place: Place, grid: Grid, calibration: Calibration) -> Finding:
    """Add what healthy maps show at the place of a finding, where the calibration knows it.

    Mean and standard deviation are those of the nearest voxel kept, over all calibration subjects. `healthy_peaks`
    are the highest values of the case's own group in the block around it: the peak of a finding is a maximum, so
    maxima are what it should be compared with. Neither is a test; the finding's p-value is.

    Args:
        finding: of a case on the template.
        place: its peak in model world mm.
        grid: the model grid.
        calibration: of the case's group.
    """
    mean, std, peaks = calibration.place_mean, calibration.place_std, calibration.place_peaks
    index = _index(place, grid)
    if mean is None or std is None or index is None or mean.shape != _kept_shape(grid):
        return finding
    kept = cast(Index, tuple(at // PLACE_STEP for at in index))
    if np.isnan(mean[kept]):
        return finding
    placed = replace(finding, healthy_mean=float(mean[kept]), healthy_std=float(std[kept]))
    if peaks is None:
        return placed
    i, j, k = (at // PLACE_BLOCK for at in index)
    here = peaks[:, i, j, k]
    return replace(placed, healthy_peaks=tuple(float(value) for value in np.sort(here[~np.isnan(here)])))


def with_members(finding: Finding, place: Place, grid: Grid, members: Sequence[MemberMap]) -> Finding:
    """Add what each member of an ensemble says near the peak of a finding.

    Args:
        finding: of the ensemble.
        place: its peak in model world mm.
        grid: the model grid, on which the members' maps lie.
        members: their maps; none leaves the finding as it is.
    """
    if not members:
        return finding
    box, near = _ball(place, grid)
    answers = []
    for member in members:
        values = member.found.values[box][near]
        known = values[~np.isnan(values)]
        if known.size:
            highest = float(known.max())
            answers.append(MemberAnswer(member.name, highest, member.level, highest > member.level))
    return replace(finding, members=tuple(answers))


def _kept_shape(grid: Grid) -> Index:
    return cast(Index, tuple(-(-side // PLACE_STEP) for side in grid.shape))


def _index(place: Place, grid: Grid) -> Index | None:
    i, j, k = (int(at) for at in np.round(grid.to_voxel(np.asarray(place, float))))
    inside = all(0 <= at < side for at, side in zip((i, j, k), grid.shape, strict=True))
    return (i, j, k) if inside else None


def _ball(place: Place, grid: Grid) -> tuple[tuple[slice, ...], NDArray[np.bool_]]:
    """The voxels within `NEAR_MM` of a place: a box of the grid, and which of its voxels."""
    centre = grid.to_voxel(np.asarray(place, float))
    box = tuple(
        slice(max(0, int(np.floor(at - NEAR_MM / step))), min(side, int(np.ceil(at + NEAR_MM / step)) + 1))
        for at, step, side in zip(centre, grid.spacing, grid.shape, strict=True)
    )
    axes = [
        (np.arange(s.start, s.stop) - at) * step
        for s, at, step in zip(box, centre, grid.spacing, strict=True)
    ]
    i, j, k = np.meshgrid(*axes, indexing="ij")
    near: NDArray[np.bool_] = i**2 + j**2 + k**2 <= NEAR_MM**2
    return box, near
