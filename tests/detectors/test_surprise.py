"""Surprise among healthy voxels: its scale, its tail, and the fusion of several."""

import numpy as np
import pytest
from scipy.stats import norm

from sanum.detectors.surprise import fused, slice_table, surprise, tops_of_slices


@pytest.fixture(scope="module")
def table():
    return slice_table(np.random.default_rng(0).standard_normal(20_000))


@pytest.mark.parametrize("decades", [0.5, 1.0, 2.0, 3.0])
def test_a_value_that_one_slice_in_ten_to_the_d_exceeds_is_d_decades_surprising(table, decades):
    value = np.array([norm.isf(10.0**-decades)])
    assert float(surprise(value, table)[0]) == pytest.approx(decades, abs=0.1)


def test_beyond_the_healthy_slices_the_tail_goes_on_ever_slower(table):
    near, far, further = surprise(np.array([4.5, 45.0, 85.5]), table)
    assert 4.4 < near < 6.5 < far < further
    assert further - far < far - near


def test_far_below_the_healthy_tops_the_order_of_places_stays(table):
    found = surprise(np.array([-4.0, -3.0, -1.0, 0.0]), table)
    assert (np.diff(found) > 0).all()
    assert found[0] < 0.1


def test_a_flat_healthy_score_still_gives_finite_surprise():
    table = slice_table(np.full(50, 0.3))
    assert np.isfinite(surprise(np.array([0.0, 0.3, 1.0]), table)).all()


def test_the_fusion_follows_the_most_surprising_score_and_pays_for_the_number():
    scores = {"a": np.array([4.0]), "b": np.array([0.0])}
    assert float(fused(scores, {"a": 1.0, "b": 1.0})[0]) == pytest.approx(4.0 - np.log10(2.0), abs=1e-3)
    assert float(fused(scores, {"a": 1.0, "b": 0.0})[0]) == pytest.approx(4.0, abs=1e-6)


def test_fusing_equal_scores_changes_nothing():
    same = {name: np.array([0.0, 1.3]) for name in "abc"}
    assert np.allclose(fused(same, {"a": 0.2, "b": 5.0, "c": 1.0}), [0.0, 1.3], atol=1e-6)


def test_few_slices_give_a_tail_wider_than_their_own():
    values = np.random.default_rng(0).standard_normal(15)
    table = slice_table(values)
    assert (np.diff(table) >= 0).all()
    assert float(surprise(values.max(keepdims=True), table)[0]) < 2.0
    assert 2.0 < float(surprise(np.array([5.0]), table)[0]) < 6.0
    assert np.isfinite(slice_table(np.array([0.3]))).all()


def test_a_slice_has_one_top_and_an_empty_one_none():
    values = np.zeros((20, 20, 3), np.float32)
    mask = np.ones(values.shape, bool)
    mask[..., 2] = False
    values[3, 4, 0], values[5, 5:7, 1] = 8.0, [6.0, 4.0]
    assert tops_of_slices(values, mask).tolist() == [4.0, 5.0]
