"""The 48 ways in which voxel axes can be turned and flipped."""

from __future__ import annotations

import itertools

import numpy as np

from sanum.core.grid import Grid

ORIENTATIONS = [
    (axes, flips)
    for axes in itertools.permutations(range(3))
    for flips in itertools.product((False, True), repeat=3)
]


def turned(voxels: np.ndarray, grid: Grid, axes, flips) -> tuple[np.ndarray, Grid]:
    """The same scan stored in another axis order."""
    change = np.zeros((4, 4))
    change[3, 3] = 1.0
    for new, (own, flip) in enumerate(zip(axes, flips, strict=True)):
        change[own, new] = -1.0 if flip else 1.0
        change[own, 3] = grid.shape[own] - 1 if flip else 0.0
    view = np.transpose(voxels, axes)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    return np.ascontiguousarray(view), Grid(view.shape, grid.affine @ change)
