"""Fixed features of a pair's places, from which faults are told."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sanum.core.units import Volume
from sanum.detectors.pair_expectation import Pair, expectation, mirror

NEAR_MM, WIDE_MM, WIDEST_MM = 3.0, 6.0, 14.0


def place_features(pair: Pair) -> NDArray[np.float32]:
    """(n, F) features of each voxel of the mask.

    Of each view: its value, means of its surroundings and their differences, its unrest, its departure from the mirror
    image; and, where there is a partner, the departure from what it leads one to expect, at three scales, and that
    departure's unrest. And the depth below the outline and the place in the head.
    """
    columns: list[Volume] = [pair.depth, *_position(pair)]
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


def _of_view(pair: Pair, view: Volume) -> list[Volume]:
    near, wide, widest = (pair.smoothed(view, mm) for mm in (NEAR_MM, WIDE_MM, WIDEST_MM))
    unrest = np.sqrt((pair.smoothed(view**2, NEAR_MM) - near**2).clip(0.0))
    sides = (pair.smoothed(view - mirror(view, pair.mask), mm) for mm in (NEAR_MM, WIDE_MM))
    return [view, near, view - wide, near - widest, wide - widest, unrest, *sides]


def _position(pair: Pair) -> list[Volume]:
    """Distance from the middle, to either side, and place along the head and up: within the mask from 0 to 1."""
    places = []
    for axis, side in enumerate(pair.mask.shape):
        shown = np.flatnonzero(pair.mask.any(axis=tuple({0, 1, 2} - {axis})))
        place = (np.arange(side) - shown[0]) / max(1, shown[-1] - shown[0])
        place = np.abs(2.0 * place - 1.0) if axis == 0 else place
        line = place.astype(np.float32).reshape([-1 if n == axis else 1 for n in range(3)])
        places.append(np.broadcast_to(line, pair.mask.shape))
    return places
