"""Retell a grid in RAS+ axis order: voxels are turned and flipped, none is interpolated."""

from __future__ import annotations

import functools
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sanum.core.grid import Grid

Kind = TypeVar("Kind", bound=np.generic)


def ras_order(grid: Grid) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Which own axis runs most nearly towards right, anterior and superior, and whether it must be flipped."""
    codes = grid.axis_codes
    axes = [next(axis for axis in range(3) if codes[axis] in pair) for pair in ("RL", "AP", "SI")]
    flips = [codes[axis] in "LPI" for axis in axes]
    return (axes[0], axes[1], axes[2]), (flips[0], flips[1], flips[2])


@functools.lru_cache(maxsize=32)
def ras_grid(grid: Grid) -> Grid:
    """The same voxels, told with I to the right, J to the front, K upwards; an oblique tilt stays exact."""
    axes, flips = ras_order(grid)
    to_own = np.zeros((4, 4))
    to_own[3, 3] = 1.0
    for new, (own, flip) in enumerate(zip(axes, flips, strict=True)):
        to_own[own, new] = -1.0 if flip else 1.0
        to_own[own, 3] = grid.shape[own] - 1 if flip else 0
    i, j, k = (grid.shape[axis] for axis in axes)
    return Grid((i, j, k), grid.affine @ to_own)


def ras_voxels(voxels: NDArray[Kind], grid: Grid) -> NDArray[Kind]:
    """View of `voxels` (I, J, K) in the order of `ras_grid(grid)`."""
    axes, flips = ras_order(grid)
    return np.transpose(voxels, axes)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]


def own_voxels(voxels: NDArray[Kind], grid: Grid) -> NDArray[Kind]:
    """Inverse of `ras_voxels`: view of voxels in the order of `ras_grid(grid)` in the order of `grid` again."""
    axes, flips = ras_order(grid)
    unflipped = voxels[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    return np.transpose(unflipped, np.argsort(axes))
