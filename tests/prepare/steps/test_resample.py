"""One interpolation: exact on straight fields, no leak over edges, no aliasing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from sanum.core.grid import Grid
from sanum.prepare.steps import itk
from sanum.prepare.steps.resample import resample, resample_mask

GRID = Grid((20, 24, 16), np.array([[1.0, 0, 0, -10], [0, 1.5, 0, -18], [0, 0, 2.0, -16], [0, 0, 0, 1]]))


def world_of(grid: Grid) -> np.ndarray:
    return grid.to_world(np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1))


def straight(world: np.ndarray) -> np.ndarray:
    return (100 + world @ np.array([2.0, -1.0, 0.5])).astype(np.float32)


def test_a_straight_field_is_exact_under_shift_and_turn():
    turn = np.deg2rad(20)
    to_target = np.eye(4)
    to_target[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    to_target[:3, 3] = (1.3, -2.7, 0.4)
    target = Grid((12, 12, 12), np.diag([0.9, 0.9, 0.9, 1.0]) + 0.0)
    values, inside = resample(straight(world_of(GRID)), np.ones(GRID.shape, bool), GRID, target, to_target)
    back = np.linalg.inv(to_target)
    expected = straight(world_of(target) @ back[:3, :3].T + back[:3, 3])
    voxel = GRID.to_voxel(world_of(target) @ back[:3, :3].T + back[:3, 3])
    deep = ((voxel >= 0) & (voxel <= np.array(GRID.shape) - 1)).all(axis=-1)
    assert deep.sum() > 300
    assert inside[deep].all()
    np.testing.assert_allclose(values[deep], expected[deep], atol=1e-3)


def test_same_grid_gives_the_same_bits():
    voxels = np.random.default_rng(0).normal(size=GRID.shape).astype(np.float32)
    known = np.random.default_rng(1).random(GRID.shape) > 0.3
    values, inside = resample(voxels, known, GRID, GRID, np.eye(4))
    np.testing.assert_array_equal(inside, known)
    np.testing.assert_array_equal(values[known], voxels[known])
    assert (values[~known] == 0).all()


def test_nothing_unknown_leaks_over_the_edge():
    known = np.zeros(GRID.shape, bool)
    known[5:15, 6:18, 4:12] = True
    voxels = np.where(known, 7.0, -1e6).astype(np.float32)
    target = Grid((40, 40, 40), np.diag([0.7, 0.9, 0.8, 1.0]) + np.array([[0, 0, 0, -12.0]] * 3 + [[0] * 4]))
    values, inside = resample(voxels, known, GRID, target, np.eye(4))
    assert inside.any()
    np.testing.assert_allclose(values[inside], 7.0, rtol=1e-5)


def test_a_coarser_target_sees_the_mean_of_a_chessboard():
    """Without the filter, every third voxel of a chessboard would be all black and white again."""
    fine = Grid((60, 60, 60), np.eye(4))
    coarse = Grid((18, 18, 18), np.diag([3.0, 3.0, 3.0, 1.0]))
    chess = (np.indices(fine.shape).sum(axis=0) % 2).astype(np.float32)
    values, inside = resample(chess, np.ones(fine.shape, bool), fine, coarse, np.eye(4))
    deep = values[2:-2, 2:-2, 2:-2]
    assert inside.all()
    assert np.abs(deep - 0.5).max() < 0.01


def test_a_target_elsewhere_is_empty():
    far = Grid((5, 5, 5), np.diag([1.0, 1, 1, 1]) + np.array([[0, 0, 0, 900.0]] * 3 + [[0] * 4]))
    known = np.ones(GRID.shape, bool)
    values, inside = resample(known.astype(np.float32), known, GRID, far, np.eye(4))
    assert not inside.any()
    assert not values.any()
    assert not resample_mask(known, GRID, far, np.eye(4)).any()
    assert not resample_mask(~known, GRID, GRID, np.eye(4)).any()


@pytest.mark.parametrize("shift", [-1e-12, 0.0, 1e-12])
def test_a_single_slice_survives_rounding(shift):
    """A picture is one slice thick: a coordinate of -1e-12 must not fall off it."""
    picture = Grid((30, 20, 1), np.eye(4))
    shifted = np.eye(4)
    shifted[2, 3] = shift
    voxels = np.random.default_rng(0).random(picture.shape).astype(np.float32)
    values, inside = resample(
        voxels, np.ones(picture.shape, bool), picture, Grid((30, 20, 1), shifted), np.eye(4)
    )
    assert inside.all()
    np.testing.assert_allclose(values, voxels, rtol=1e-6)


def test_a_mask_keeps_its_place_and_size():
    mask = np.zeros(GRID.shape, bool)
    mask[4:9, 10:14, 6:9] = True
    target = Grid((60, 100, 80), np.diag([0.5, 0.5, 0.5, 1.0]) + np.array([[0, 0, 0, -18.0]] * 3 + [[0] * 4]))
    moved = resample_mask(mask, GRID, target, np.eye(4))
    assert moved.sum() * target.voxel_ml == pytest.approx(mask.sum() * GRID.voxel_ml, rel=0.15)
    centre = target.to_world(np.argwhere(moved)).mean(axis=0)
    np.testing.assert_allclose(centre, GRID.to_world(np.argwhere(mask)).mean(axis=0), atol=0.5)


def test_itk_interpolates_as_scipy_does_up_to_and_beyond_the_edges():
    values = np.random.default_rng(0).random((9, 11, 7)).astype(np.float32)
    to_voxel = np.eye(4)
    to_voxel[:3] = [[0.6, 0.1, -0.05, -1.7], [-0.1, 0.55, 0.08, 0.3], [0.02, -0.07, 0.4, -1.2]]
    expected = ndimage.affine_transform(
        values, to_voxel[:3, :3], to_voxel[:3, 3], (22, 20, 24), order=1, mode="grid-constant"
    )
    found = itk.interpolate(values, to_voxel, (22, 20, 24))
    assert 0.2 < (expected > 0).mean() < 0.9
    np.testing.assert_allclose(found, expected, atol=2e-6)
