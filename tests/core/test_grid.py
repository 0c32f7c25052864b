"""Grids: where voxels lie must survive every orientation."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sanum.core.errors import GeometryError
from sanum.core.grid import Grid

ORIENTATIONS = [
    (axes, signs)
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1.0, -1.0), repeat=3)
]


def oriented(axes: tuple[int, ...], signs: tuple[float, ...]) -> np.ndarray:
    affine = np.zeros((4, 4))
    affine[3, 3] = 1.0
    for voxel_axis, (world_axis, sign) in enumerate(zip(axes, signs, strict=True)):
        affine[world_axis, voxel_axis] = sign * (1.0 + voxel_axis)
    return affine


@pytest.mark.parametrize(("axes", "signs"), ORIENTATIONS)
def test_axis_codes_name_each_of_the_48_orientations(axes, signs):
    codes = Grid((4, 5, 6), oriented(axes, signs)).axis_codes
    expected = "".join(
        ("LR", "PA", "IS")[axis][int(sign > 0)] for axis, sign in zip(axes, signs, strict=True)
    )
    assert codes == expected


@given(st.lists(st.floats(-50, 50), min_size=3, max_size=3))
def test_voxel_and_world_are_inverse(position):
    grid = Grid((10, 11, 12), oriented((2, 0, 1), (1.0, -1.0, 1.0)))
    assert np.allclose(grid.to_voxel(grid.to_world(np.array(position))), position)


def test_spacing_and_volume_follow_the_affine():
    grid = Grid((4, 4, 4), np.diag([2.0, 3.0, 4.0, 1.0]))
    assert grid.spacing == (2.0, 3.0, 4.0)
    assert grid.voxel_ml == pytest.approx(0.024)


def test_same_as_allows_a_tenth_of_a_millimetre_and_no_more():
    base = Grid((10, 10, 10), np.eye(4))
    near, far = np.eye(4), np.eye(4)
    near[0, 3], far[0, 3] = 0.05, 0.2
    assert base.same_as(Grid((10, 10, 10), near))
    assert not base.same_as(Grid((10, 10, 10), far))
    assert not base.same_as(Grid((10, 10, 9), np.eye(4)))


@pytest.mark.parametrize(
    ("affine", "message"),
    [
        (np.full((4, 4), np.nan), "NaN or infinity"),
        (np.diag([0.0, 1.0, 1.0, 1.0]), "spacing"),
        (np.diag([1000.0, 1.0, 1.0, 1.0]), "spacing"),
        (np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "singular"),
        (np.eye(3), r"\(4, 4\)"),
    ],
)
def test_an_affine_that_is_no_geometry_is_refused(affine, message):
    with pytest.raises(GeometryError, match=message):
        Grid((4, 4, 4), affine)


def test_the_affine_cannot_be_changed_behind_the_grid():
    affine = np.eye(4)
    grid = Grid((4, 4, 4), affine)
    affine[0, 0] = 7.0
    assert grid.affine[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 7.0


def test_the_plain_form_comes_back_the_same():
    grid = Grid((4, 5, 6), oriented((1, 2, 0), (-1.0, 1.0, -1.0)))
    assert Grid.from_dict(grid.to_dict()).same_as(grid, tolerance_mm=0.0)


def test_corners_are_the_first_and_last_voxels_along_each_axis():
    corners = Grid((3, 4, 5), np.diag([2.0, 3.0, 4.0, 1.0])).corners()
    assert {tuple(corner) for corner in corners.tolist()} == set(itertools.product((0, 4), (0, 9), (0, 16)))


def test_a_grid_shows_its_shape_axes_and_spacing():
    assert repr(Grid((3, 4, 5), np.diag([-2.0, 3.0, 4.25, 1.0]))) == "Grid(3, 4, 5) LAS 2 x 3 x 4.25 mm"
