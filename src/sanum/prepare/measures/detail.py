"""Noise, motion and unevenness as they show within the brain, with or without air around it."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.grid import Grid
from sanum.core.units import Mask, Volume
from sanum.prepare.measures.lattice import every, steps_of

BLOCK_MM = 24.0
"""Side of the blocks whose bright levels are compared: wider than a gyrus, far narrower than the brain."""

BRIGHT = 80.0
"""Percentile that is a block's bright level."""

MIN_FILLED = 0.6
"""Least share of a block that lies in the brain."""

MIN_BLOCKS = 20
MIN_POINTS = 500
EDGE_LATTICE_MM = 1.8


def noise(voxels: Volume, brain: Mask) -> float | None:
    """Standard deviation of the noise over the brain's median, by the finest Haar detail (Donoho & Johnstone 1994).

    Differences along every axis at once leave hardly anything of the anatomy where voxels are fine; their median
    absolute value, scaled, is the noise (Coupé et al. 2010, without the Rician correction). None where it is hidden
    below the steps of integer values.
    """
    detail, known = voxels, brain
    axes = [axis for axis in range(3) if voxels.shape[axis] > 1]
    for axis in axes:
        even, odd = _pairs(detail, axis)
        detail = (even - odd) / np.float32(np.sqrt(2.0))
        known = np.logical_and(*_pairs(known, axis))
    median = float(np.median(voxels[brain]))
    if known.sum() < MIN_POINTS or median <= 0:
        return None
    found = 1.4826 * float(np.median(np.abs(detail[known]))) / median
    return found if found > 0 else None


def gradient_entropy(voxels: Volume, brain: Mask, grid: Grid) -> float | None:
    """Entropy of the gradient's strength over the brain, over its maximum (McGee et al., JMRI 2000).

    A sharp picture has its edges in few places; motion, ghosts and ringing spread them. Looked at within the brain
    by two voxels, on a lattice of about 1.8 mm.
    """
    axes = [axis for axis in range(3) if voxels.shape[axis] > 4]
    inner = tuple(slice(2, -2) if axis in axes else slice(None) for axis in range(3))
    lattice = every(steps_of(grid, EDGE_LATTICE_MM))
    core = brain[inner][lattice]
    squared = np.zeros(core.shape, np.float32)
    for axis in axes:
        ahead, behind = (_shifted(voxels, inner, axis, by)[lattice] for by in (1, -1))
        squared += ((ahead - behind) / np.float32(2 * grid.spacing[axis])) ** 2
        for by in (2, -2):
            core = core & _shifted(brain, inner, axis, by)[lattice]
    strength = np.sqrt(squared[core].astype(np.float64))
    if strength.size < MIN_POINTS or strength.sum() == 0:
        return None
    share = strength[strength > 0] / strength.sum()
    return float(-(share * np.log(share)).sum() / np.log(strength.size))


def unevenness(voxels: Volume, brain: Mask, grid: Grid) -> float | None:
    """Standard deviation of the logarithm of the bright level (80th percentile) over blocks of 24 mm."""
    sides = steps_of(grid, BLOCK_MM)
    levels = []
    for corner in product(*(range(0, size, side) for size, side in zip(voxels.shape, sides, strict=True))):
        block = tuple(slice(start, start + side) for start, side in zip(corner, sides, strict=True))
        inside = brain[block]
        if inside.sum() >= MIN_FILLED * np.prod(sides):
            levels.append(np.percentile(voxels[block][inside], BRIGHT))
    bright = np.array(levels, dtype=np.float64)
    if bright.size < MIN_BLOCKS or bright.min() <= 0:
        return None
    return float(np.log(bright).std())


def _pairs(values: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Every first and every second voxel along an axis; an odd last one is left out."""
    whole = np.moveaxis(values, axis, 0)[: values.shape[axis] // 2 * 2]
    return np.moveaxis(whole[::2], 0, axis), np.moveaxis(whole[1::2], 0, axis)


def _shifted(values: NDArray[Any], inner: tuple[slice, ...], axis: int, by: int) -> NDArray[Any]:
    """The inner part, looked at `by` voxels further along an axis (at most 2)."""
    size = values.shape[axis]
    window = [slice(2 + by, size - 2 + by) if other == axis else part for other, part in enumerate(inner)]
    return values[tuple(window)]
