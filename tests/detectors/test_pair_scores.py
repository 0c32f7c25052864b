"""A score counts by what stands out of its own slice."""

import numpy as np

from sanum.detectors.pair_scores import standing_out


def test_what_a_whole_slice_shares_is_taken_off_and_what_stands_out_stays():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(20, 20, 2)).astype(np.float32)
    mask = np.ones(values.shape, bool)
    mask[:, :5] = False
    odd = values.copy()
    odd[..., 1] += 3.0
    found = standing_out(odd, mask)
    assert np.allclose(found, standing_out(values, mask), atol=1e-5)
    assert np.mean(found[mask] < 0.0) == 0.5
    odd[10:13, 10:13, 1] += 5.0
    assert standing_out(odd, mask)[11, 11, 1] > found[11, 11, 1] + 4.0


def test_a_fault_that_fills_a_third_of_a_slice_still_stands_out():
    values = np.zeros((30, 30, 1), np.float32)
    values[:10] = 4.0
    assert standing_out(values, np.ones(values.shape, bool))[5, 5, 0] == 4.0


def test_an_empty_slice_is_left_alone():
    values = np.ones((4, 4, 1), np.float32)
    assert np.array_equal(standing_out(values, np.zeros(values.shape, bool)), values)
