"""The atlas knows each place, asks for one grid, and stands on the textbook formulas."""

from dataclasses import replace

import numpy as np
import pytest

from sanum.core.errors import ScanError, TrainingError
from sanum.core.grid import Grid
from sanum.detectors.atlas import Atlas, Config
from tests.phantoms import prepared_case


def fitted(cases, **settings):
    return Atlas(Config(smoothing_mm=0.0, **settings), cases[0].modalities).fit(cases, seed=0)


def moved(case):
    affine = case.grid.affine.copy()
    affine[0, 3] += 5.0
    return replace(case, grid=Grid(case.grid.shape, affine))


def test_mean_and_spread_are_those_of_numpy():
    cases = [prepared_case(seed) for seed in range(6)]
    stack, state = np.stack([case.voxels for case in cases]), fitted(cases).state()
    inside = cases[0].mask
    assert np.allclose(state["mean"][:, inside], stack.mean(axis=0)[:, inside], atol=1e-6)
    assert np.allclose(state["spread"][:, inside], stack.std(axis=0, ddof=1)[:, inside], atol=1e-6)


def test_a_voxel_outside_a_mask_does_not_count():
    cases = [prepared_case(seed) for seed in range(4)]
    hole = cases[3].mask.copy()
    hole[16, 16] = False
    cases[3] = replace(cases[3], mask=hole, voxels=np.where(hole, cases[3].voxels, 0))
    expected = np.mean([case.voxels[0, 16, 16, 0] for case in cases[:3]])
    assert fitted(cases).state()["mean"][0, 16, 16, 0] == pytest.approx(expected, abs=1e-6)


def test_where_no_case_was_seen_all_healthy_voxels_stand_in():
    cases = [prepared_case(seed) for seed in range(4)]
    inside = np.concatenate([case.voxels[0][case.mask] for case in cases]).astype(float)
    state = fitted(cases).state()
    assert state["mean"][0, 0, 0, 0] == pytest.approx(inside.mean(), abs=1e-5)
    assert state["spread"][0, 0, 0, 0] == pytest.approx(inside.std(), abs=1e-5)


def test_a_value_that_is_normal_elsewhere_is_abnormal_here():
    """What brightness alone can't see: the brightness of one place at another."""
    cases = [prepared_case(seed) for seed in range(6)]
    inside = cases[0].mask
    mean = fitted(cases).state()["mean"][0]
    dark_here = np.unravel_index(np.where(inside, mean, 9).argmin(), mean.shape)
    usual_there = np.where(inside, mean, 0).max()
    voxels = cases[0].voxels.copy()
    voxels[0][dark_here] = usual_there
    assert fitted(cases, least_spread=0.02).score(replace(cases[0], voxels=voxels)).values[dark_here] > 5.0


def test_the_floor_bounds_the_score_where_healthy_cases_agree_by_chance():
    case = prepared_case(1)
    brighter = replace(case, voxels=case.voxels + np.float32(0.1))
    values = fitted([case, case, case], least_spread=0.05).score(brighter).inside()
    assert values.max() == pytest.approx(2.0, abs=1e-3)


def test_training_cases_on_different_grids_are_refused_by_name():
    with pytest.raises(TrainingError, match=r"case-1: its grid .* template preparation"):
        fitted([prepared_case(0), moved(prepared_case(1))])


def test_a_case_on_another_grid_is_not_scored():
    detector = fitted([prepared_case(seed) for seed in range(3)])
    with pytest.raises(ScanError, match=r"case-5: its grid .* template preparation"):
        detector.score(moved(prepared_case(5)))
