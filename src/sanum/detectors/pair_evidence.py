"""Fixed features of a pair's places, and of its slices, from which faults are told."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.core.units import Volume
from sanum.detectors.pair_expectation import Pair, expectation, mirror

NEAR_MM, WIDE_MM, WIDEST_MM = 3.0, 6.0, 14.0

LAGS = (1, 2, 4)
"""Distances, in coarse pixels, over which a slice's unrest is measured along each side."""

FEWEST = 40
"""Coarse pixels of a slice below which nothing is said about its noise."""


def place_features(pair: Pair) -> NDArray[np.float32]:
    """(n, F) features of each voxel of the mask.

    Of each view: its value, means of its surroundings and their differences, its unrest, its departure from the mirror
    image; and, where there is a partner, the departure from what it leads one to expect, at three scales, and that
    departure's unrest. And the depth below the outline and the height in the head.
    """
    columns: list[Volume] = [pair.depth, _height(pair)]
    for number, views in enumerate(pair.views):
        for view in views:
            columns += _of_view(pair, view)
        for other, partner in enumerate(pair.views):
            if other == number:
                continue
            for view in views:
                away = expectation(pair, view, partner).departure
                columns += [away, *(pair.smoothed(away, mm) for mm in (NEAR_MM, WIDE_MM))]
                columns.append(np.sqrt(pair.smoothed(away**2, NEAR_MM).clip(0.0)))
    return np.stack([column[pair.mask] for column in columns], axis=1).astype(np.float32)


def slice_features(pair: Pair, number: int) -> NDArray[np.float64]:
    """(K', F) of one modality's slices that show enough: unrest along and across, beside what the partner explains."""
    view = pair.views[number][0]
    others = [partner for other, partner in enumerate(pair.views) if other != number]
    away = expectation(pair, view, others[0]).residual if others else view - pair.smoothed(view, NEAR_MM)
    inside = ndimage.binary_erosion(pair.mask, np.ones((3, 3, 1), np.bool_))
    rows = []
    for k in np.flatnonzero(inside.sum(axis=(0, 1)) >= FEWEST):
        plane, shown = away[..., k].astype(np.float64), inside[..., k]
        along, across = ([_unrest(plane, shown, lag, axis) for lag in LAGS] for axis in (1, 0))
        spread = np.log(plane[shown].std() + 1e-3)
        rows.append([spread, *along, *(a - b for a, b in zip(along, across, strict=True))])
    return np.array(rows, np.float64).reshape(-1, 1 + 2 * len(LAGS))


def _of_view(pair: Pair, view: Volume) -> list[Volume]:
    near, wide, widest = (pair.smoothed(view, mm) for mm in (NEAR_MM, WIDE_MM, WIDEST_MM))
    unrest = np.sqrt((pair.smoothed(view**2, NEAR_MM) - near**2).clip(0.0))
    sides = (pair.smoothed(view - mirror(view, pair.mask), mm) for mm in (NEAR_MM, WIDE_MM))
    return [view, near, view - wide, near - widest, wide - widest, unrest, *sides]


def _height(pair: Pair) -> Volume:
    shown = np.flatnonzero(pair.mask.any(axis=(0, 1)))
    height = (np.arange(pair.mask.shape[2]) - shown[0]) / max(1, shown[-1] - shown[0])
    return np.broadcast_to(height.astype(np.float32), pair.mask.shape)


def _unrest(plane: NDArray[np.float64], shown: NDArray[np.bool_], lag: int, axis: int) -> float:
    """Logarithm of the mean squared difference over a distance, of pixels that are both shown."""
    one, other = (np.take(plane, np.arange(*ends), axis) for ends in _ends(plane.shape[axis], lag))
    first, second = (np.take(shown, np.arange(*ends), axis) for ends in _ends(plane.shape[axis], lag))
    both = first & second
    return float(np.log(((one - other)[both] ** 2).mean() + 1e-6)) if both.any() else 0.0


def _ends(side: int, lag: int) -> tuple[tuple[int, int], tuple[int, int]]:
    step = min(lag, side - 1)
    return (0, side - step), (step, side)
