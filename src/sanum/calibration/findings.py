"""From a map to the regions that a person should look at."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.core.records import MAP_QUANTILES, AnomalyMap, Calibration, Finding
from sanum.core.units import Mask

FINDING_QUANTILE = 0.9999
"""A finding lies above what one healthy voxel in ten thousand reaches."""

SCALE_QUANTILES = (0.99, 0.9999)
"""The colour scale starts where one healthy voxel in a hundred lies, and ends at twice one in ten thousand."""

MIN_SIZE_ML = 0.1
MIN_SIZE_PX = 10
MAX_FINDINGS = 20


def finding_level(calibration: Calibration) -> float:
    """Map value above which a voxel belongs to a finding."""
    return float(calibration.map_levels[MAP_QUANTILES.index(FINDING_QUANTILE)])


def map_scale(calibration: Calibration) -> tuple[float, float]:
    """Map values where the calibrated colour scale starts and ends."""
    low, high = (float(calibration.map_levels[MAP_QUANTILES.index(q)]) for q in SCALE_QUANTILES)
    return low, max(2.0 * high, float(np.nextafter(low, np.inf)))


@dataclass(frozen=True, eq=False)
class Regions:
    """The findings of a map and where each lies.

    Attributes:
        findings: most striking first.
        labels: (I, J, K) on the map's grid, the rank of the finding that a voxel belongs to, 0 elsewhere.
    """

    findings: tuple[Finding, ...]
    labels: NDArray[np.uint8]


def find_regions(anomaly_map: AnomalyMap, level: float, *, is_image: bool = False) -> Regions:
    """Connected regions above `level`, most striking (highest summed excess) first.

    Args:
        anomaly_map: in the scan's own grid.
        level: healthy level of the map.
        is_image: sizes are counted in pixels instead of millilitres.

    Returns:
        At most `MAX_FINDINGS`, each at least `MIN_SIZE_ML` or `MIN_SIZE_PX` large.
    """
    ranked = np.zeros(anomaly_map.values.shape, np.uint8)
    above = anomaly_map.values > level
    if not above.any():
        return Regions((), ranked)
    whole = _box_around(above)
    regions = cc3d.connected_components(np.ascontiguousarray(above[whole]), connectivity=26)
    voxel_size = 1.0 if is_image else anomaly_map.grid.voxel_ml
    smallest = MIN_SIZE_PX if is_image else MIN_SIZE_ML
    found = []
    for number, part in enumerate(ndimage.find_objects(regions), start=1):
        inside = regions[part] == number
        box = _within(whole, part)
        if inside.sum() * voxel_size < smallest:
            continue
        excess = float((anomaly_map.values[box][inside] - level).sum(dtype=np.float64)) * voxel_size
        found.append((excess, box, inside))
    found.sort(key=lambda entry: -entry[0])
    described = []
    for rank, (excess, box, inside) in enumerate(found[:MAX_FINDINGS], start=1):
        ranked[box][inside] = rank
        described.append(_described(anomaly_map, rank, excess, box, inside, voxel_size, is_image))
    return Regions(tuple(described), ranked)


def _box_around(there: Mask) -> tuple[slice, ...]:
    """The smallest box that holds all that is there."""
    ends = [np.flatnonzero(there.any(axis=others))[[0, -1]] for others in ((1, 2), (0, 2), (0, 1))]
    return tuple(slice(int(first), int(last) + 1) for first, last in ends)


def _within(whole: tuple[slice, ...], part: tuple[slice, ...]) -> tuple[slice, ...]:
    """A box within another one, counted from where that is counted from."""
    return tuple(
        slice(outer.start + inner.start, outer.start + inner.stop)
        for outer, inner in zip(whole, part, strict=True)
    )


def _described(
    anomaly_map: AnomalyMap,
    rank: int,
    excess: float,
    box: tuple[slice, ...],
    inside: Mask,
    voxel_size: float,
    is_image: bool,
) -> Finding:
    within = np.where(inside, anomaly_map.values[box], -np.inf)
    corner = np.array([side.start for side in box])
    peak = corner + np.unravel_index(int(within.argmax()), within.shape)
    return Finding(
        rank=rank,
        size=float(inside.sum() * voxel_size),
        unit="px" if is_image else "ml",
        peak_score=float(within.max()),
        mean_score=float(within[inside].mean(dtype=np.float64)),
        peak_mm=_three(anomaly_map.grid.to_world(peak)),
        peak_voxel=(int(peak[0]), int(peak[1]), int(peak[2])),
        excess=excess,
    )


def _three(position: NDArray[np.float64]) -> tuple[float, float, float]:
    i, j, k = (round(float(value), 2) for value in position)
    return i, j, k
