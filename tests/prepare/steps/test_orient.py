"""Turning to RAS+ moves indices, never world positions."""

from __future__ import annotations

import numpy as np
import pytest

from sanum.core.grid import Grid
from sanum.prepare.steps.orient import ras_grid, ras_voxels
from tests.prepare.orientations import ORIENTATIONS, turned

TILT = np.array([[0.9, 0.1, 0.05, -20], [-0.1, 1.2, 0.2, -30], [-0.05, -0.2, 2.5, 10], [0, 0, 0, 1.0]])


@pytest.mark.parametrize(("axes", "flips"), ORIENTATIONS)
def test_every_orientation_comes_back_to_one_ras_scan(axes, flips):
    grid = Grid((4, 5, 6), TILT)
    voxels = np.arange(120, dtype=np.float32).reshape(4, 5, 6)
    stored, stored_grid = turned(voxels, grid, axes, flips)
    assert ras_grid(stored_grid).axis_codes == "RAS"
    assert ras_grid(stored_grid).same_as(grid, tolerance_mm=1e-9)
    np.testing.assert_array_equal(ras_voxels(stored, stored_grid), voxels)
