"""What encloses belongs to a head, slice by slice."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from sanum.prepare.sequence.features import DEPTHS, NOWHERE, RING_QUANTILES, _filled, _rings


def test_holes_are_those_of_each_slice():
    shown = np.random.default_rng(0).random((5, 20, 30)) > 0.4
    shown[2] = False  # its neighbours' holes are no less closed
    shown[1, 5:15, 5:15] = True
    shown[1, 8:12, 8:12] = False
    expected = np.stack([ndimage.binary_fill_holes(one) for one in shown])
    assert np.array_equal(_filled(shown), expected)
    assert _filled(shown)[1, 8:12, 8:12].all()


def test_levels_of_a_ring_are_its_own_and_a_ring_that_is_empty_has_none():
    rng = np.random.default_rng(1)
    levels, ring = (
        rng.random((2, 1, 20, 30)).astype(np.float32),
        rng.integers(0, 4, (1, 20, 30)).astype(np.uint8),
    )
    found = _rings(tuple(levels), ring).reshape(2, len(DEPTHS) - 1, len(RING_QUANTILES))
    for one, told in zip(levels, found, strict=True):
        for number in (1, 2, 3):
            expected = np.quantile(one[ring == number], RING_QUANTILES, method="nearest")
            assert np.allclose(told[number - 1], expected)
        assert (told[3:] == NOWHERE).all()
