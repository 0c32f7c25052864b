"""What is measured on the slices: levels by depth below the outline, and how dark, bright and the rest lie to each other.

All of it holds for a whole head and for an extracted brain, needs no tissue to be found, and does not depend on units.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
from numpy.typing import NDArray

SHOWN = 0.06
"""Scaled value from which a pixel shows something; what it encloses belongs to it."""

DEPTHS = (0.5, 1.5, 2.5, 3.5, 4.5, 6.0, 8.0, 10.5, 40.0)
"""Edges in pixels of the rings below the outline: scalp, skull and rim of the brain, then the brain."""

INNER = 4.5
"""Pixels below the outline from which there is hardly anything but brain, in a whole head too."""

RING_QUANTILES = (0.1, 0.5, 0.9)
INNER_QUANTILES = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
EXTREME = 0.07
"""Share of the inner pixels that count as its dark, and as its bright part."""

AWAY = (0.5, 1.2, 1.9, 2.6, 3.7, 5.5)
"""Edges in pixels of the distances from the dark and the bright part."""

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
    from scipy import ndimage

    scaled, ranked = shown[:, 0], shown[:, 1]
    plane = np.zeros((3, 3, 3), np.bool_)
    plane[1] = ndimage.generate_binary_structure(2, 1)
    solid = ndimage.binary_fill_holes(scaled > SHOWN, structure=plane)
    depth = ndimage.distance_transform_edt(np.pad(solid, ((0, 0), (1, 1), (1, 1))), sampling=(1e3, 1, 1))
    depth = depth[:, 1:-1, 1:-1]
    inner = depth >= min(INNER, 0.5 * float(depth.max()))
    local = _local(scaled, solid)

    @functools.cache  # parts of few slices are the same
    def rings(first: int, end: int) -> Features:
        return np.concatenate([_rings(one[first:end], depth[first:end]) for one in (scaled, ranked)])

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


def _thirds(count: int) -> list[tuple[int, int]]:
    """The first, the middle and the last of three parts of so many slices; of fewer than three some are the same."""
    ends = np.cumsum([0, *(len(part) for part in np.array_split(np.arange(count), 3))])
    parts = [(int(a), int(b)) for a, b in itertools.pairwise(ends) if b > a]
    return [parts[0], parts[len(parts) // 2], parts[-1]]


def _local(scaled: NDArray[np.float32], solid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Values over their mean within some centimetres, so that no coil's field is left."""
    from scipy import ndimage

    weight = ndimage.gaussian_filter(solid.astype(np.float64), (0, 5, 5))
    mean = ndimage.gaussian_filter(scaled * solid.astype(np.float64), (0, 5, 5)) / np.maximum(weight, 1e-3)
    local: NDArray[np.float64] = scaled / np.maximum(mean, 0.02)
    return local.clip(0, 4)


def _quantiles(values: NDArray[np.floating], quantiles: tuple[float, ...]) -> Features:
    """Nearest ranks: interpolating costs more than all else here."""
    if not values.size:
        return np.full(len(quantiles), NOWHERE)
    ranks = [round(share * (values.size - 1)) for share in quantiles]
    found: Features = np.sort(values)[ranks].astype(np.float64)
    return found


def _rings(values: NDArray[np.float32], depth: NDArray[np.float64]) -> Features:
    """Quantiles of every ring."""
    which = np.digitize(depth, DEPTHS)
    rings = [_quantiles(values[which == ring], RING_QUANTILES) for ring in range(1, len(DEPTHS))]
    return np.concatenate(rings)


def _inside(local: NDArray[np.float64], scaled: NDArray[np.float32], inner: NDArray[np.bool_]) -> Features:
    """Spread and skew of the inner part, after and before the coil's field is taken out."""
    values, raw = local[inner], scaled[inner]
    if values.size < 10:
        return np.full(2 * len(INNER_QUANTILES) + 2, NOWHERE)
    middle = max(float(np.median(raw)), 0.02)
    skews = [float(((one - one.mean()) ** 3).mean() / (one.std() ** 3 + 1e-6)) for one in (values, raw)]
    spread = _quantiles(raw, INNER_QUANTILES) / middle
    return np.concatenate([_quantiles(values, INNER_QUANTILES), np.minimum(spread, 6), np.clip(skews, -5, 5)])


def _away(local: NDArray[np.float64], ranked: NDArray[np.float32], inner: NDArray[np.bool_]) -> Features:
    """Mean levels by distance from the darkest and from the brightest inner part: fluid, then cortex, then white."""
    from scipy import ndimage

    told: list[float] = []
    if inner.sum() < 20:
        return np.full(4 * (len(AWAY) - 1), NOWHERE)
    low, high = _quantiles(local[inner], (EXTREME, 1 - EXTREME))
    for part in (inner & (local <= low), inner & (local >= high)):
        far = ndimage.distance_transform_edt(~part, sampling=(1e3, 1, 1))
        which = np.where(inner, np.digitize(far, AWAY), 0)
        for values in (local, ranked):
            for ring in range(1, len(AWAY)):
                there = values[which == ring]
                told.append(float(there.mean()) if there.size else NOWHERE)
    return np.array(told)


def _spots(local: NDArray[np.float64], inner: NDArray[np.bool_]) -> Features:
    """Small bright and small dark things: vessels, sulci, noise."""
    from scipy import ndimage

    bright = local - ndimage.grey_opening(local, (1, 3, 3))
    dark = ndimage.grey_closing(local, (1, 3, 3)) - local
    fine = np.abs(local - ndimage.gaussian_filter(local, (0, 1, 1)))
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
