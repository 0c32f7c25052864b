"""Scaling is monotone, reaches [0, 1], and refuses what has no contrast."""

from __future__ import annotations

import numpy as np
import pytest

from sanum.core.errors import PreparationError
from sanum.core.modalities import Window
from sanum.prepare.steps.scale import landmarks, scale, unscale, windowed

VALUES = np.random.default_rng(0).gamma(2.0, 300.0, (20, 20, 20)).astype(np.float32)
ROBUST = (0.5, 99.5)
MASK = np.random.default_rng(1).random(VALUES.shape) > 0.5


def test_only_the_mask_decides():
    spoiled = np.where(MASK, VALUES, 1e9).astype(np.float32)
    assert landmarks(spoiled, MASK, ROBUST) == landmarks(VALUES, MASK, ROBUST)


def test_percentiles_shrug_off_one_hot_voxel_and_minmax_does_not():
    hot = VALUES.copy()
    hot[tuple(np.argwhere(MASK)[0])] = 1e6
    assert landmarks(hot, MASK, ROBUST)[2] == pytest.approx(landmarks(VALUES, MASK, ROBUST)[2], rel=0.02)
    assert landmarks(hot, MASK, (0.0, 100.0))[2] == 1e6


@pytest.mark.parametrize("median", [None, 0.3, 0.5])
def test_order_is_kept_and_ends_are_met(median):
    marks = landmarks(VALUES, MASK, ROBUST)
    scaled = scale(VALUES, marks, median)
    order = np.argsort(VALUES, axis=None)
    assert (np.diff(scaled.ravel()[order]) >= 0).all()
    assert scaled.dtype == np.float32
    assert scaled.min() == 0.0
    assert scaled.max() == 1.0
    if median is not None:
        assert np.median(scaled[MASK]) == pytest.approx(median, abs=0.01)


def test_scanner_gain_and_offset_do_not_matter():
    other = 3.7 * VALUES + 120
    np.testing.assert_allclose(
        scale(other, landmarks(other, MASK, ROBUST), 0.5),
        scale(VALUES, landmarks(VALUES, MASK, ROBUST), 0.5),
        atol=1e-4,
    )


def test_a_median_at_the_end_does_not_divide_by_zero():
    scaled = scale(np.array([[[0.0, 0.0, 1.0]]], np.float32), (0.0, 0.0, 1.0), 0.5)
    np.testing.assert_array_equal(scaled.ravel(), [0, 0, 1])


def test_no_contrast_is_refused():
    with pytest.raises(PreparationError, match="no contrast"):
        landmarks(np.full((4, 4, 4), 5.0, np.float32), np.ones((4, 4, 4), bool), ROBUST)
    with pytest.raises(PreparationError, match="no voxel of the brain"):
        landmarks(VALUES, np.zeros_like(MASK), (0.0, 100.0))


@pytest.mark.parametrize("median", [None, 0.5])
def test_unscaling_gives_the_scanner_units_back(median):
    values = np.linspace(10.0, 90.0, 50, dtype=np.float32)
    marks = (10.0, 30.0, 90.0)
    np.testing.assert_allclose(unscale(scale(values, marks, median), marks, median), values, rtol=1e-5)


@pytest.mark.parametrize("marks", [(10.0, 10.0, 90.0), (10.0, 90.0, 90.0)])
def test_a_median_at_an_end_keeps_one_line_on_the_way_back_too(marks):
    shown = np.array([[[0.0, 0.25, 1.0]]], np.float32)
    np.testing.assert_allclose(unscale(shown, marks, 0.5), [[[10.0, 30.0, 90.0]]])


def test_the_landmarks_are_the_percentiles_themselves():
    inside = VALUES[MASK]
    assert landmarks(VALUES, MASK, ROBUST) == pytest.approx(tuple(np.percentile(inside, (0.5, 50.0, 99.5))))


def test_a_window_maps_its_ends_to_0_and_1_and_clips_beyond():
    hounsfield = np.array([-1000.0, -20.0, 0.0, 40.0, 100.0, 3000.0], np.float32)
    window = Window(level=40.0, width=120.0)
    assert window.ends == (-20.0, 100.0)
    scaled = windowed(hounsfield, window)
    np.testing.assert_allclose(scaled, [0.0, 0.0, 1 / 6, 0.5, 1.0, 1.0], atol=1e-6)
    assert scaled.dtype == np.float32


def test_back_to_its_own_units_stays_in_single_precision():
    for median in (None, 0.5):
        assert unscale(np.array([0.0, 0.5, 1.0], np.float32), (1.0, 2.0, 5.0), median).dtype == np.float32
