"""What is measured on the slices: levels by depth below the outline, and how dark, bright and the rest lie to each other.

All of it holds for a whole head and for an extracted brain, needs no tissue to be found, and does not depend on units.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
from numpy.typing import NDArray

from sanum.prepare.sequence.planes import closed, opened, smoothed, squared_distance

SHOWN = 0.06
"""Scaled value from which a pixel shows something; what it encloses belongs to it."""

DEPTHS = (0.5, 1.5, 2.5, 3.5, 4.5, 6.0, 8.0, 10.5, 40.0)
"""Edges in pixels of the rings below the outline: scalp, skull and rim of the brain, then the brain."""

INNER = 4.5
"""Pixels below the outline, or half of the most there are, from which there is hardly anything but brain, in a whole head
too."""

RING_QUANTILES = (0.1, 0.5, 0.9)
INNER_QUANTILES = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
EXTREME = 0.07
"""Share of the inner pixels that count as its dark, and as its bright part."""

AWAY = (0.5, 1.2, 1.9, 2.6, 3.7, 5.5)
"""Edges in pixels of the distances from the dark and the bright part."""

PLANE_CROSS = np.zeros((3, 3, 3), np.bool_)
PLANE_CROSS[1] = [[False, True, False], [True, True, True], [False, True, False]]
"""Neighbours by a side within a slice."""

DEEP, FAR = int(DEPTHS[-2]), int(AWAY[-1])
"""Pixels up to which depths and distances count; the outermost ring holds all that is deeper."""

RINGS, RINGS_AWAY = (np.digitize(np.sqrt(np.arange(256)), edges).astype(np.uint8) for edges in (DEPTHS, AWAY))
"""Ring of a squared distance."""

NOWHERE = -1.0
"""Stands for the level of a place that no slice has."""

Features = NDArray[np.float64]


def features_of(shown: NDArray[np.float32]) -> Features:
    """Measures of a bag of slices.

    Args:
        shown: (S, 2, I, J) from `look.shown_to_eye`.

    Returns:
        One dimension, always of one length, finite.
    """
    scaled, ranked = shown[:, 0], shown[:, 1]
    solid = _filled(scaled > SHOWN)
    outside = np.ones((len(solid), solid.shape[1] + 2, solid.shape[2] + 2), np.bool_)
    outside[:, 1:-1, 1:-1] = ~solid
    below = squared_distance(outside, DEEP)[:, 1:-1, 1:-1]
    ring, inner = RINGS.take(below), below >= min(INNER**2, int(below.max()) / 4)
    local = _local(scaled, solid)

    @functools.cache  # parts of few slices are the same
    def rings(first: int, end: int) -> Features:
        return _rings((scaled[first:end], ranked[first:end]), ring[first:end])

    @functools.cache
    def inside(first: int, end: int) -> Features:
        return _inside(local[first:end], scaled[first:end], inner[first:end])

    thirds = _thirds(len(shown))
    return np.concatenate(
        [
            *(rings(*part) for part in thirds),
            *(inside(*part) for part in [*thirds, (0, len(shown))]),
            _away(local, ranked, inner),
            _spots(local, inner),
            _around(scaled, solid),
        ]
    )


def _filled(shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """With the holes of every slice."""
    from scipy import ndimage

    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(shown, structure=PLANE_CROSS)
    return filled


@functools.cache
def _thirds(count: int) -> list[tuple[int, int]]:
    """The first, the middle and the last of three parts of so many slices; of fewer than three some are the same."""
    ends = np.cumsum([0, *(len(part) for part in np.array_split(np.arange(count), 3))])
    parts = [(int(a), int(b)) for a, b in itertools.pairwise(ends) if b > a]
    return [parts[0], parts[len(parts) // 2], parts[-1]]


def _local(scaled: NDArray[np.float32], solid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Values over their mean within some centimetres, so that no coil's field is left."""
    weight = smoothed(solid.astype(np.float64), 5)
    mean = smoothed(scaled * solid.astype(np.float64), 5) / np.maximum(weight, 1e-3)
    local: NDArray[np.float64] = scaled / np.maximum(mean, 0.02)
    return np.minimum(local, 4, out=local)  # none is below 0


def _quantiles(values: NDArray[np.floating], quantiles: tuple[float, ...]) -> Features:
    """Nearest ranks: interpolating costs more than all else here."""
    return _of_sorted(np.sort(values), quantiles)


def _of_sorted(values: NDArray[np.floating], quantiles: tuple[float, ...]) -> Features:
    if not values.size:
        return np.full(len(quantiles), NOWHERE)
    ranks = [round(share * (values.size - 1)) for share in quantiles]
    found: Features = values[ranks].astype(np.float64)
    return found


def _rings(levels: tuple[NDArray[np.float32], ...], ring: NDArray[np.uint8]) -> Features:
    """Quantiles of every ring, of one kind of levels after the other."""
    counts = np.bincount(ring.ravel(), minlength=len(DEPTHS))
    starts, sizes = np.cumsum(counts)[:-1, None], counts[1:, None]
    ranks = np.where(sizes > 0, starts + np.rint(np.array(RING_QUANTILES) * (sizes - 1)).astype(np.intp), 0)
    apart = 2.0 * ring  # levels lie within 0 and 2, so that one sort keeps the rings apart
    sorted_rings = [
        np.sort(one + apart, axis=None)[ranks] - 2.0 * np.arange(1, len(counts))[:, None] for one in levels
    ]
    return np.concatenate([np.where(sizes > 0, found, NOWHERE).ravel() for found in sorted_rings])


def _inside(local: NDArray[np.float64], scaled: NDArray[np.float32], inner: NDArray[np.bool_]) -> Features:
    """Spread and skew of the inner part, after and before the coil's field is taken out."""
    values, raw = np.sort(local[inner]), np.sort(scaled[inner])
    if values.size < 10:
        return np.full(2 * len(INNER_QUANTILES) + 2, NOWHERE)
    upper = raw.size // 2
    middle = max(float(raw[(raw.size - 1) // 2] + raw[upper]) / 2, 0.02)
    spread = _of_sorted(raw, INNER_QUANTILES) / middle
    skews = [_skew(one) for one in (values, raw)]
    return np.concatenate([_of_sorted(values, INNER_QUANTILES), np.minimum(spread, 6), np.clip(skews, -5, 5)])


def _skew(values: NDArray[np.floating]) -> float:
    away = values - values.mean()
    squares = away * away
    spread = float(np.sqrt(squares.mean()))
    return float((squares * away).mean()) / (spread**3 + 1e-6)


def _away(local: NDArray[np.float64], ranked: NDArray[np.float32], inner: NDArray[np.bool_]) -> Features:
    """Mean levels by distance from the darkest and from the brightest inner part: fluid, then cortex, then white."""
    rings = len(AWAY) - 1
    if inner.sum() < 20:
        return np.full(4 * rings, NOWHERE)
    low, high = _quantiles(local[inner], (EXTREME, 1 - EXTREME))
    parts = np.stack([inner & (local <= low), inner & (local >= high)])
    which = np.where(inner, RINGS_AWAY.take(squared_distance(parts, FAR)), 0)
    told: list[Features] = []
    for far in which.reshape(len(parts), -1):
        counts = np.bincount(far, minlength=rings + 1)[1 : rings + 1]
        for values in (local, ranked):
            sums = np.bincount(far, values.ravel(), rings + 1)[1 : rings + 1]
            told.append(np.where(counts > 0, sums / np.maximum(counts, 1), NOWHERE))
    return np.concatenate(told)


def _spots(local: NDArray[np.float64], inner: NDArray[np.bool_]) -> Features:
    """Small bright and small dark things: vessels, sulci, noise."""
    bright, dark = local - opened(local), closed(local) - local
    fine = np.abs(local - smoothed(local, 1))
    ends = (0.5, 0.9, 0.98, 0.995)
    return np.concatenate([_quantiles(one[inner], ends) for one in (bright, dark, fine)])


def _around(scaled: NDArray[np.float32], solid: NDArray[np.bool_]) -> Features:
    """The air, how much is shown, and how alike neighbouring slices and both sides are."""
    air = scaled[~solid]
    between = _likeness(scaled[1:], scaled[:-1]) if len(scaled) > 1 else NOWHERE
    return np.array(
        [
            float(solid.mean()),
            float(air.mean()) if air.size else NOWHERE,
            float(air.std()) if air.size else NOWHERE,
            float((air == 0).mean()) if air.size else NOWHERE,
            float((scaled >= 1).mean()),
            between,
            _likeness(scaled, scaled[:, ::-1]),
        ]
    )


def _likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    a, b = one.ravel() - one.mean(), other.ravel() - other.mean()
    return float((a * b).sum() / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-9))
