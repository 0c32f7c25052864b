"""The classic slice rule, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sanum.core.errors import PreparationError
from sanum.core.grid import Grid
from sanum.prepare.steps.cut import brain_square, filled_slices, middle_slices, slice_grid, whole_slice

GRID = Grid((40, 60, 20), np.diag([2.0, 1.0, 3.0, 1.0]))


@pytest.mark.parametrize(
    ("count", "trim", "expected"),
    [(100, 0.15, (15, 85)), (181, 0.15, (27, 154)), (1, 0.15, (0, 1)), (2, 0.49, (0, 2)), (7, 0.0, (0, 7))],
)
def test_the_middle_stays(count, trim, expected):
    kept = middle_slices(count, trim)
    assert (kept.start, kept.stop) == expected


def test_the_square_is_square_in_millimetres_and_holds_the_brain():
    brain = np.zeros(GRID.shape, bool)
    brain[10:30, 5:55, 4:16] = True
    view = brain_square(brain, GRID, 0.1)
    assert view.extent == pytest.approx((60.0, 60.0))
    model = slice_grid(GRID, view, 30, range(4, 16))
    assert model.shape == (30, 30, 12)
    assert model.spacing == pytest.approx((2.0, 2.0, 3.0))
    low, high = model.to_world(np.array([[-0.5, -0.5, 0], [29.5, 29.5, 11]]))
    np.testing.assert_allclose((low + high)[:2] / 2, GRID.to_world(np.array([19.5, 29.5, 0]))[:2])
    assert low[2] == GRID.to_world(np.array([0, 0, 4]))[2]


def test_the_whole_slice_is_stretched_edge_to_edge():
    model = slice_grid(GRID, whole_slice(GRID), 20, range(20))
    assert model.spacing == pytest.approx((4.0, 3.0, 3.0))
    edge = GRID.to_voxel(model.to_world(np.array([[-0.5, -0.5, 0], [19.5, 19.5, 19]])))
    np.testing.assert_allclose(edge[:, :2], [[-0.5, -0.5], [39.5, 59.5]])


def test_a_slice_is_dropped_only_above_the_share():
    voxels = np.zeros((1, 10, 10, 3), np.float32)
    voxels[0, :3, :, 1] = 0.5
    voxels[0, :3, :9, 2] = 0.5
    np.testing.assert_array_equal(filled_slices(voxels, 0.70, 0.02), [False, True, False])


def test_no_brain_in_the_middle_is_refused():
    with pytest.raises(PreparationError, match="hold no brain"):
        brain_square(np.zeros(GRID.shape, bool), GRID, 0.0)


def test_one_slice_stays_however_much_is_dropped():
    assert [middle_slices(count, 0.9) for count in (1, 2, 3, 4, 5)] == [
        range(1),
        range(2),
        range(1, 2),
        range(1, 3),
        range(2, 3),
    ]


def test_the_longer_side_may_be_either_and_is_measured_in_millimetres():
    brain = np.zeros(GRID.shape, bool)
    brain[2:38, 20:40, 4:16] = True
    view = brain_square(brain, GRID, 0.0)
    assert view.extent == (72.0, 72.0)
    assert view.centre == (19.5, 29.5)
    coarse = Grid((40, 60, 20), np.diag([1.0, 2.0, 3.0, 1.0]))
    assert brain_square(brain, coarse, 0.0).extent == (40.0, 40.0)
    assert whole_slice(coarse).extent == (40.0, 120.0)


def test_a_pixel_at_the_limit_itself_is_near_zero():
    voxels = np.full((1, 2, 2, 1), 0.1)
    assert not filled_slices(voxels, 0.5, 0.1)[0]
    assert filled_slices(voxels, 0.5, 0.05)[0]
