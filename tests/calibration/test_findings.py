"""Findings: what is reported must lie where the map is high, in the scan's own space."""

import numpy as np
import pytest

from sanum.calibration.findings import MAX_FINDINGS, findings
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
    first, second = findings(found, 1.0)
    assert (first.rank, second.rank) == (1, 2)
    assert first.size == pytest.approx(125 * 0.008)
    assert first.peak_voxel == (12, 13, 14)
    assert first.peak_mm == pytest.approx(tuple(AFFINE[:3, :3] @ [12, 13, 14] + AFFINE[:3, 3]))
    assert (first.peak_score, second.mean_score) == (5.0, 3.0)


def test_specks_and_a_quiet_map_give_nothing():
    assert findings(a_map(((slice(5, 6), slice(5, 6), slice(5, 6)), 9.0)), 1.0) == ()
    assert findings(a_map(), 1.0) == ()


def test_an_image_counts_pixels():
    values = np.zeros((40, 40, 1), np.float32)
    values[5:10, 5:10] = 2.0
    (only,) = findings(AnomalyMap("case", values, Grid(values.shape, np.eye(4)), "t"), 1.0, is_image=True)
    assert (only.size, only.unit) == (25.0, "px")


def test_the_list_is_bounded():
    blobs = [
        ((slice(i, i + 3), slice(j, j + 3), slice(k, k + 3)), 2.0)
        for i in range(2, 38, 6)
        for j in range(2, 38, 6)
        for k in (5, 20)
    ]
    assert len(findings(a_map(*blobs), 1.0)) == MAX_FINDINGS
