"""A head the wrong way up, or none at all, is told without registration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sanum.core.grid import Grid
from sanum.prepare.measures.likeness import likeness
from sanum.prepare.template import icbm152
from tests.prepare.test_real import read

EXTRACTED = [
    "ds002748/sub-04/anat/sub-04_T1w.nii.gz",
    "oasis/1001_T1w.nii.gz",
    "mslub/patient07_FLAIR.nii.gz",
]


def turned_grid(grid: Grid, degrees: tuple[int, int, int]) -> Grid:
    """The grid with a header that lays the head otherwise."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    return Grid(grid.shape, affine @ grid.affine)


def the_template():
    template = icbm152()
    return np.where(template.brain, template.t1, 0).astype(np.float32), template.brain, template.grid


def test_the_template_looks_like_itself():
    found = likeness(*the_template())
    assert found.overlap > 0.98
    assert found.turn is None
    assert found.flags() == []
    assert found.white_to_grey > 1.2


@pytest.mark.parametrize("degrees", [(180, 0, 0), (0, 0, 180), (90, 0, 0), (0, 0, -90)])
def test_a_wrong_header_is_told_with_its_turn(degrees):
    voxels, brain, grid = the_template()
    (flag,) = likeness(voxels, brain, turned_grid(grid, degrees)).flags()
    axis = "xyz"[int(np.flatnonzero(degrees)[0])]
    assert f"{max(degrees, key=abs)}° about {axis}" in flag


@pytest.mark.parametrize("degrees", [(25, 0, 0), (-20, 5, 10)])
def test_a_head_that_only_tilts_is_upright(degrees):
    voxels, brain, grid = the_template()
    assert likeness(voxels, brain, turned_grid(grid, degrees)).flags() == []


def test_a_ball_of_noise_is_no_head():
    _, brain, grid = the_template()
    voxels = np.random.default_rng(0).uniform(0, 100, brain.shape).astype(np.float32)
    (flag,) = likeness(voxels, brain, grid).flags()
    assert flag.startswith("does not look like a head in any way up")


@pytest.mark.real
@pytest.mark.parametrize("name", EXTRACTED)
def test_real_brains_are_upright_as_they_are_and_turned_when_turned(real_data, name):
    scan = read(real_data / name)
    brain = scan.voxels != 0
    assert likeness(scan.voxels, brain, scan.grid).flags() == []
    (flag,) = likeness(scan.voxels, brain, turned_grid(scan.grid, (180, 0, 0))).flags()
    assert "180° about x" in flag
