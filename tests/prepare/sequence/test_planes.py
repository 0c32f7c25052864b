"""Filters of small planes give what scipy.ndimage gives, and nothing passes from one plane to another."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from sanum.prepare.sequence.planes import closed, opened, smoothed, squared_distance

SHAPE = (3, 21, 30)


def planes() -> np.ndarray:
    return np.random.default_rng(0).random(SHAPE)


@pytest.mark.parametrize("sigma", [1, 5])
def test_a_gaussian_is_scipys(sigma):
    expected = ndimage.gaussian_filter(planes(), (0, sigma, sigma))
    assert np.allclose(smoothed(planes(), sigma), expected, rtol=1e-12)


def test_opening_and_closing_are_scipys():
    assert np.array_equal(opened(planes()), ndimage.grey_opening(planes(), (1, 3, 3)))
    assert np.array_equal(closed(planes()), ndimage.grey_closing(planes(), (1, 3, 3)))


@pytest.mark.parametrize("reach", [5, 10])
def test_a_distance_is_right_up_to_its_reach_and_the_next_square_beyond(reach):
    there = planes() > 0.99
    there[1] = False  # what other planes hold does not count
    expected = ndimage.distance_transform_edt(~there, sampling=(1e3, 1, 1)) ** 2
    found = squared_distance(there, reach)
    assert np.array_equal(found, np.minimum(np.rint(expected), (reach + 1) ** 2))
