"""Findings: what is reported must lie where the map is high, in the scan's own space."""

import numpy as np
import pytest

from sanum.calibration.findings import MAX_FINDINGS, find_regions
from sanum.core.grid import Grid
from sanum.core.records import AnomalyMap

AFFINE = np.array([[-2.0, 0, 0, 60], [0, 0, 2.0, -40], [0, 2.0, 0, -30], [0, 0, 0, 1.0]])


def a_map(*blobs: tuple[tuple[slice, ...], float]) -> AnomalyMap:
    values = np.zeros((40, 40, 40), np.float32)
    values[0] = np.nan
    for where, value in blobs:
        values[where] = value
    return AnomalyMap("case", values, Grid(values.shape, AFFINE), "test")


def test_size_peak_and_order():
    large = (slice(10, 15), slice(10, 15), slice(10, 15))
    small = (slice(30, 33), slice(30, 33), slice(30, 33))
    found = a_map((large, 2.0), (small, 3.0))
    found.values[12, 13, 14] = 5.0
    regions = find_regions(found, 1.0)
    first, second = regions.findings
    assert (first.rank, second.rank) == (1, 2)
    assert first.size == pytest.approx(125 * 0.008)
    assert first.peak_voxel == (12, 13, 14)
    assert first.peak_mm == pytest.approx(tuple(AFFINE[:3, :3] @ [12, 13, 14] + AFFINE[:3, 3]))
    assert (first.peak_score, second.mean_score) == (5.0, 3.0)
    assert first.excess == pytest.approx((124 * 1.0 + 4.0) * 0.008)


def test_each_finding_has_its_own_label_where_it_lies():
    large = (slice(10, 15), slice(10, 15), slice(10, 15))
    small = (slice(30, 33), slice(30, 33), slice(30, 33))
    labels = find_regions(a_map((small, 3.0), (large, 2.0), ((slice(20, 21),) * 3, 9.0)), 1.0).labels
    expected = np.zeros((40, 40, 40))
    expected[large], expected[small] = 1, 2
    np.testing.assert_array_equal(labels, expected)


def test_specks_and_a_quiet_map_give_nothing():
    speck = a_map(((slice(5, 6), slice(5, 6), slice(5, 6)), 9.0))
    for quiet in (speck, a_map()):
        regions = find_regions(quiet, 1.0)
        assert regions.findings == ()
        assert not regions.labels.any()


def test_an_image_counts_pixels():
    values = np.zeros((40, 40, 1), np.float32)
    values[5:10, 5:10] = 2.0
    found = AnomalyMap("case", values, Grid(values.shape, np.eye(4)), "t")
    (only,) = find_regions(found, 1.0, is_image=True).findings
    assert (only.size, only.unit) == (25.0, "px")


def test_the_list_is_bounded():
    blobs = [
        ((slice(i, i + 3), slice(j, j + 3), slice(k, k + 3)), 2.0)
        for i in range(2, 38, 6)
        for j in range(2, 38, 6)
        for k in (5, 20)
    ]
    assert len(find_regions(a_map(*blobs), 1.0).findings) == MAX_FINDINGS


def test_regions_that_touch_at_an_edge_or_a_corner_are_one_finding():
    """A lesion that runs aslant through the slices is one, not a heap of specks."""
    steps = [(slice(10 + 3 * n, 13 + 3 * n),) * 3 for n in range(2)]
    (corner,) = find_regions(a_map(*((step, 2.0) for step in steps)), 1.0).findings
    assert corner.size == pytest.approx(54 * 0.008)
    beside = [(slice(10 + 3 * n, 13 + 3 * n), slice(10 + 3 * n, 13 + 3 * n), slice(10, 13)) for n in range(2)]
    (edge,) = find_regions(a_map(*((step, 2.0) for step in beside)), 1.0).findings
    assert edge.size == pytest.approx(54 * 0.008)
    apart = (slice(17, 20),) * 3
    assert len(find_regions(a_map((steps[0], 2.0), (apart, 2.0)), 1.0).findings) == 2
