"""The search for a turned start: rotations are rotations, lie everywhere, and the right one is named."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sanum.prepare.steps import turns

RNG = np.random.default_rng(0)


def test_the_sphere_holds_rotations_and_leaves_no_hole():
    rotations = turns.sphere(turns.COUNT)
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-9)
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.eye(3)[None].repeat(turns.COUNT, 0), atol=1e-9
    )
    for any_ in Rotation.random(200, random_state=1).as_matrix():
        cosines = (np.einsum("nij,ij->n", rotations, any_) - 1) / 2
        assert np.degrees(np.arccos(cosines.max())) < 25


def test_angles_and_the_rotation_within_an_affine():
    turn = Rotation.from_euler("zx", [30, -50], degrees=True).as_matrix()
    assert turns.degrees_between(
        np.eye(3), turns.nearest_rotation(turn @ np.diag([1.1, 0.9, 1.0]))
    ) == pytest.approx(turns.degrees_between(np.eye(3), turn), abs=2.0)
    half = Rotation.from_euler("y", 180, degrees=True).as_matrix()
    assert turns.degrees_between(turn, turn @ half) == pytest.approx(180, abs=1e-5)


def test_a_turned_blob_without_symmetry_is_found():
    size = 40
    index = np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij"), axis=-1) - size / 2
    body = ((index / [12, 18, 9]) ** 2).sum(-1) < 1
    voxels = np.where(body, 0.5, 0.0).astype(np.float32)
    voxels[body & (((index - [6, 9, 3]) ** 2).sum(-1) < 64)] = 0.95
    voxels[body & (((index - [-2, -9, 4]) ** 2).sum(-1) < 36)] = 0.15
    to_voxel = np.eye(4)
    to_voxel[:3, 3] = size / 2
    places = index[body].astype(float)
    fixed = turns.Cloud(voxels, places, to_voxel)
    for turn in Rotation.random(3, random_state=2).as_matrix():
        motion = np.eye(4)
        motion[:3, :3] = turn
        moving = turns.Cloud(voxels, places @ turn.T, to_voxel @ np.linalg.inv(motion))
        found = turns.likely_turns(moving, fixed, places * 1.05, 2)
        assert turns.degrees_between(found[0], turn) < 25
        assert turns.degrees_between(found[0], found[1]) >= turns.APART_DEGREES


def test_moments_find_how_a_cloud_was_turned_stretched_and_moved():
    fixed = RNG.normal(size=(400, 3)) * [3.0, 5.0, 8.0] + [1.0, -2.0, 4.0]
    turn = Rotation.from_euler("xyz", [20, -35, 70], degrees=True).as_matrix()
    axes, shift = turn @ np.diag([1.2, 0.8, 1.5]), np.array([7.0, -9.0, 11.0])
    moving = fixed @ axes.T + shift
    found = turns.moments_map(moving, fixed, turn)
    np.testing.assert_allclose(found[:3, 3], moving.mean(0) - found[:3, :3] @ fixed.mean(0))
    np.testing.assert_allclose(found[:3, :3], axes, atol=0.15)
    np.testing.assert_allclose(found[3], [0.0, 0.0, 0.0, 1.0])
    there = np.c_[fixed, np.ones(400)] @ found.T
    np.testing.assert_allclose(there[:, :3].mean(0), moving.mean(0), atol=1e-9)
