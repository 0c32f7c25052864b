"""From a map to the regions that a person should look at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.core.records import MAP_QUANTILES, AnomalyMap, Calibration, Finding

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


def findings(anomaly_map: AnomalyMap, level: float, *, is_image: bool = False) -> tuple[Finding, ...]:
    """Connected regions above `level`, most striking (highest summed excess) first.

    Args:
        anomaly_map: in the scan's own grid.
        level: healthy level of the map.
        is_image: sizes are counted in pixels instead of millilitres.

    Returns:
        At most `MAX_FINDINGS`, each at least `MIN_SIZE_ML` or `MIN_SIZE_PX` large.
    """
    above = anomaly_map.values > level
    if not above.any():
        return ()
    values = np.nan_to_num(anomaly_map.values, nan=-np.inf)
    regions, count = ndimage.label(above, structure=np.ones((3, 3, 3)))
    voxel_size = 1.0 if is_image else anomaly_map.grid.voxel_ml
    smallest = MIN_SIZE_PX if is_image else MIN_SIZE_ML
    found = []
    for number, box in enumerate(ndimage.find_objects(regions, count), start=1):
        inside = regions[box] == number
        if inside.sum() * voxel_size < smallest:
            continue
        within = np.where(inside, values[box], -np.inf)
        corner = np.array([side.start for side in box])
        peak = corner + np.unravel_index(int(within.argmax()), within.shape)
        excess = float((within[inside] - level).sum(dtype=np.float64)) * voxel_size
        found.append((excess, float(inside.sum() * voxel_size), peak, within[inside]))
    found.sort(key=lambda entry: -entry[0])
    return tuple(
        Finding(
            rank=rank,
            size=size,
            unit="px" if is_image else "ml",
            peak_score=float(inside.max()),
            mean_score=float(inside.mean(dtype=np.float64)),
            peak_mm=_three(anomaly_map.grid.to_world(peak)),
            peak_voxel=(int(peak[0]), int(peak[1]), int(peak[2])),
            excess=excess,
        )
        for rank, (excess, size, peak, inside) in enumerate(found[:MAX_FINDINGS], start=1)
    )


def _three(position: NDArray[np.float64]) -> tuple[float, float, float]:
    i, j, k = (round(float(value), 2) for value in position)
    return i, j, k
