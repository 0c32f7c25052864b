"""Looking at every so many-th voxel, where all of them would tell nothing more."""

from __future__ import annotations

from sanum.core.grid import Grid

Steps = tuple[int, int, int]


def steps_of(grid: Grid, spacing_mm: float) -> Steps:
    """Voxels from one point of a lattice to the next along each axis, about `spacing_mm` apart, at least 1."""
    i, j, k = (max(1, round(spacing_mm / spacing)) for spacing in grid.spacing)
    return i, j, k


def every(steps: Steps) -> tuple[slice, slice, slice]:
    """Index of the lattice's voxels."""
    i, j, k = steps
    return slice(None, None, i), slice(None, None, j), slice(None, None, k)
