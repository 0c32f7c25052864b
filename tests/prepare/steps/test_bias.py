"""N4 finds a planted shading and leaves an even scan as it is."""

from __future__ import annotations

import numpy as np

from sanum.core.grid import Grid
from sanum.prepare.steps.bias import bias_field
from tests.phantoms import RAS_2MM, brain_voxels

GRID = Grid((64, 84, 64), RAS_2MM)


def planted() -> np.ndarray:
    world = GRID.to_world(np.stack(np.meshgrid(*map(np.arange, GRID.shape), indexing="ij"), axis=-1))
    return np.exp(0.25 * np.sin(world[..., 1] / 60) + 0.1 * world[..., 2] / 60).astype(np.float32)


def test_a_planted_shading_is_found():
    values, _ = brain_voxels(GRID)
    mask = values > 0
    field = bias_field(values * planted(), mask, GRID)
    truth = planted() / np.exp(np.log(planted()[mask]).mean())
    assert field.dtype == np.float32
    assert abs(np.log(field[mask]).mean()) < 1e-3
    assert np.corrcoef(np.log(field[mask]), np.log(truth[mask]))[0, 1] > 0.95
    left = np.log(truth / field)[mask].std()
    assert left < 0.4 * np.log(truth)[mask].std()


def test_an_even_scan_stays_even():
    values, _ = brain_voxels(GRID)
    mask = values > 0
    assert np.log(bias_field(values, mask, GRID)[mask]).std() < 0.03
