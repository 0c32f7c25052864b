"""A made head with scalp, skull and air, and real ones, for the tests of measures."""

from __future__ import annotations

import functools

import numpy as np
from scipy import ndimage

from sanum.core.grid import Grid
from sanum.core.records import Scan, Source
from tests.phantoms import ellipsoid

AFFINE = np.array([[2.0, 0, 0, -110], [0, 2.0, 0, -130], [0, 0, 2.0, -95], [0, 0, 0, 1.0]])
GRID = Grid((110, 112, 108), AFFINE)


@functools.cache
def made_head() -> tuple[Scan, np.ndarray]:
    """T1w-like head in [0, 1] with a little noise everywhere, and its brain."""
    brain = ellipsoid(GRID, (0, -18, 8), (62, 78, 58))
    scalp = ellipsoid(GRID, (0, -18, 6), (76, 92, 74)) & ~ellipsoid(GRID, (0, -18, 6), (70, 86, 67))
    voxels = np.where(scalp, 0.8, 0.0)
    voxels[brain] = 0.5
    voxels[ellipsoid(GRID, (0, -18, 8), (48, 62, 44))] = 0.75
    voxels[ellipsoid(GRID, (0, -15, 12), (9, 26, 10))] = 0.15
    folds = 0.04 * np.sin(np.arange(GRID.shape[0])[:, None, None] / 2.0) * np.ones(GRID.shape)
    voxels = ndimage.gaussian_filter(voxels + folds * brain, 0.6)
    rng = np.random.default_rng(0)
    noisy = np.hypot(voxels + 0.01 * rng.standard_normal(GRID.shape), 0.01 * rng.standard_normal(GRID.shape))
    return scan_of(noisy), brain


def scan_of(voxels: np.ndarray, grid: Grid = GRID) -> Scan:
    return Scan(voxels.astype(np.float32), grid, "T1w", Source("head.nii.gz", "0" * 64))
