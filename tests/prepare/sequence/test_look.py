"""The slices that the eye is shown are the same however a scan is stored."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from sanum.core.grid import Grid
from sanum.core.records import Scan, Source
from sanum.prepare.sequence.look import (
    BINS,
    PIXEL_MM,
    SHARES,
    SIZE,
    SLICES,
    _grey_levels,
    _histogram,
    _line_weights,
    _middle_part,
    _percentiles,
    _quantiles,
    shown_to_eye,
    slices_of,
)
from tests.phantoms import brain_scan
from tests.prepare.orientations import turned


def test_any_axis_order_shows_the_same():
    scan = brain_scan()
    voxels, grid = turned(scan.voxels, scan.grid, (2, 0, 1), (True, False, True))
    other = dataclasses.replace(scan, voxels=np.ascontiguousarray(voxels), grid=grid)
    seen = slices_of(scan)
    assert seen.shape == (SLICES, *SIZE)
    assert np.allclose(seen, slices_of(other), atol=1.0)


def test_right_is_right_and_front_is_front():
    """The phantom has one bright nucleus, on the right in front."""
    i, j = np.unravel_index(slices_of(brain_scan()).max(0).argmax(), SIZE)
    assert (i - SIZE[0] / 2) * PIXEL_MM > 10
    assert (j - SIZE[1] / 2) * PIXEL_MM > 10


def test_a_thin_slab_shows_fewer_slices():
    scan = brain_scan()
    slab = scan.voxels[:, :, 30:40]
    shift = np.eye(4)
    shift[2, 3] = 30
    thin = dataclasses.replace(scan, voxels=slab, grid=Grid(slab.shape, scan.grid.affine @ shift))
    assert 1 <= len(slices_of(thin)) < SLICES
    assert slices_of(thin).max() > 500


def test_a_picture_is_one_slice_that_fills_the_field():
    voxels = np.zeros((300, 400, 1), np.float32)
    voxels[100:180, 120:230] = 7.0
    seen = slices_of(Scan(voxels, Grid(voxels.shape, np.eye(4)), None, Source("a.png", ""), is_image=True))
    assert seen.shape == (1, *SIZE)
    assert 0.5 < (seen > 3).mean() < 0.85


@pytest.mark.parametrize("change", [lambda v: 3 * v + 50, lambda v: v - 1000, np.float32])
def test_units_do_not_count(change):
    seen = slices_of(brain_scan())
    assert np.allclose(shown_to_eye(change(seen)), shown_to_eye(seen), atol=0.02)


def test_a_constant_background_is_dark_though_something_lies_below_it():
    """Registration to a template leaves such rims."""
    seen = slices_of(brain_scan())
    rimmed = seen.copy()
    rimmed[:, :2] = -400.0
    assert shown_to_eye(rimmed)[3, 0, 5, 5] == 0.0
    assert np.allclose(
        shown_to_eye(rimmed)[3, 0, 20:28, 20:28], shown_to_eye(seen)[3, 0, 20:28, 20:28], atol=0.02
    )


def test_an_empty_volume_is_shown_all_the_same():
    flat = np.full((40, 40, 40), 3.0, np.float32)
    scan = Scan(flat, Grid(flat.shape, np.diag([4.0, 4, 4, 1])), None, Source("flat.nii", ""))
    assert np.isfinite(shown_to_eye(slices_of(scan))).all()


def greys() -> np.ndarray:
    """Whole grey levels fall on the edges of bins, where rounding decides."""
    levels = np.random.default_rng(0).normal(90, 40, (60, 70))
    return np.rint(levels).clip(0, 255).astype(np.float32)


@pytest.mark.parametrize("values", [greys(), greys() / 7, greys()[:1, :3], greys() - 1000])
def test_percentiles_and_bins_are_numpys(values):
    levels = _grey_levels(values)
    assert _percentiles(values, (0.5, 99.0), levels) == np.percentile(values, (0.5, 99.0)).tolist()
    low, high = float(values.min()) + 0.5, float(values.max())
    counts, edges = _histogram(values, low, high, levels)
    expected_counts, expected_edges = np.histogram(values, BINS, (low, high))
    assert np.array_equal(counts, expected_counts)
    assert np.array_equal(edges, expected_edges)


def test_grey_levels_are_counted_where_all_are_whole_and_of_8_bits():
    assert np.array_equal(_grey_levels(greys()), np.bincount(greys().astype(int).ravel(), minlength=256))
    for others in (greys() / 7, greys() - 1000, greys() + 256, greys() * 1e30):
        assert _grey_levels(others) is None


def test_ranks_are_looked_up_at_numpys_quantiles():
    values = np.random.default_rng(3).random(1234).astype(np.float32)
    for some in (values, values[:7], values[:1]):
        assert np.array_equal(_quantiles(some), np.quantile(some, SHARES))


def test_the_middle_part_of_counts_is_that_of_the_places_themselves():
    counts = np.random.default_rng(1).integers(0, 9, 50)
    places = np.repeat(np.arange(50), counts)
    assert _middle_part(counts) == tuple(np.percentile(places, (1.0, 99.0)))


def test_the_weights_of_a_line_are_linear_interpolation():
    line = np.random.default_rng(2).random(20)
    places, around = np.linspace(-2, 21, 30), np.array([-0.3, 0.3])
    expected = ndimage.map_coordinates(
        line, [places[:, None] + around], order=1, mode="grid-constant", cval=0.0
    ).mean(axis=1)
    assert np.allclose(_line_weights(places, around, 20) @ line, expected)
