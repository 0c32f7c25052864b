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
SPOT_QUANTILES = (0.5, 0.9, 0.98, 0.995)
EXTREME = 0.07
"""Share of the inner pixels that count as its dark, and as its bright part."""

AWAY = (0.5, 1.2, 1.9, 2.6, 3.7, 5.5)
"""Edges in pixels of the distances from the dark and the bright part."""

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
    below = squared_distance(_framed(~solid), DEEP)[:, 1:-1, 1:-1]
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
    import cc3d

    outside = _framed(~shown)
    # the slices one under another in one plane, where nothing but their frames touches
    reached = cc3d.connected_components(outside.reshape(-1, outside.shape[-1]), connectivity=4)
    filled: NDArray[np.bool_] = (reached != reached[0, 0]).reshape(outside.shape)[:, 1:-1, 1:-1]
    return filled


def _framed(outside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """With a pixel of outside around every slice."""
    count, i, j = outside.shape
    framed = np.ones((count, i + 2, j + 2), np.bool_)
    framed[:, 1:-1, 1:-1] = outside
    return framed


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
    """Nearest ranks along the last axis: interpolating costs more than all else here."""
    count = values.shape[-1]
    if not count:
        return np.full((*values.shape[:-1], len(quantiles)), NOWHERE)
    ranks = _ranks(quantiles, count)
    found: Features = np.partition(values, ranks)[..., ranks].astype(np.float64)
    return found


def _ranks(quantiles: tuple[float, ...], count: int) -> list[int]:
    return [round(share * (count - 1)) for share in quantiles]


def _rings(levels: tuple[NDArray[np.float32], ...], ring: NDArray[np.uint8]) -> Features:
    """Quantiles of every ring, of one kind of levels after the other."""
    within = np.flatnonzero(ring)
    if not within.size:
        return np.full(len(levels) * (len(DEPTHS) - 1) * len(RING_QUANTILES), NOWHERE)
    apart = 2.0 * ring.ravel().take(
        within
    )  # levels lie within 0 and 2, so that one sort keeps the rings apart
    ordered = np.stack([one.ravel().take(within) + apart for one in levels])
    ordered.sort()
    sizes = np.bincount(ring.ravel(), minlength=len(DEPTHS))[1:, None]
    starts = np.cumsum(sizes)[:, None] - sizes
    ranks = np.where(sizes > 0, starts + np.rint(np.array(RING_QUANTILES) * (sizes - 1)).astype(np.intp), 0)
    found = ordered[:, ranks] - 2.0 * np.arange(1, len(DEPTHS))[:, None]
    return np.where(sizes > 0, found, NOWHERE).ravel()


def _inside(local: NDArray[np.float64], scaled: NDArray[np.float32], inner: NDArray[np.bool_]) -> Features:
    """Spread and skew of the inner part, after and before the coil's field is taken out."""
    values, raw = local[inner], scaled[inner]
    count = raw.size
    if count < 10:
        return np.full(2 * len(INNER_QUANTILES) + 2, NOWHERE)
    ranks = [(count - 1) // 2, count // 2, *_ranks(INNER_QUANTILES, count)]
    below, above, *levels = np.partition(raw, ranks)[ranks]
    spread = np.array(levels, np.float64) / max(float(below + above) / 2, 0.02)
    skews = [max(-5.0, min(_skew(one), 5.0)) for one in (values, raw)]
    return np.concatenate([_quantiles(values, INNER_QUANTILES), np.minimum(spread, 6), skews])


def _skew(values: NDArray[np.floating]) -> float:
    away = values - values.mean()
    squares = away * away
    spread = float(np.sqrt(squares.mean()))
    return float((squares * away).mean()) / (spread**3 + 1e-6)


def _away(local: NDArray[np.float64], ranked: NDArray[np.float32], inner: NDArray[np.bool_]) -> Features:
    """Mean levels by distance from the darkest and from the brightest inner part: fluid, then cortex, then white."""
    rings = len(AWAY) - 1
    within = np.flatnonzero(inner)
    if within.size < 20:
        return np.full(4 * rings, NOWHERE)
    levels = local.ravel().take(within)
    low, high = _quantiles(levels, (EXTREME, 1 - EXTREME))
    parts = np.stack([inner & (local <= low), inner & (local >= high)])
    far = RINGS_AWAY.take(squared_distance(parts, FAR).reshape(len(parts), -1).take(within, axis=1))
    ends = rings + 2
    which = (far + np.array([[0], [ends]])).ravel()  # the rings of both parts in one count
    sums = np.stack(
        [np.bincount(which, np.tile(one, 2), 2 * ends) for one in (levels, ranked.ravel().take(within))]
    ).reshape(2, 2, ends)
    counts = np.bincount(which, minlength=2 * ends).reshape(2, ends)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), NOWHERE)
    return means.swapaxes(0, 1)[..., 1 : rings + 1].ravel()


def _spots(local: NDArray[np.float64], inner: NDArray[np.bool_]) -> Features:
    """Small bright and small dark things: vessels, sulci, noise."""
    kinds = (local - opened(local), closed(local) - local, np.abs(local - smoothed(local, 1)))
    within = np.flatnonzero(inner)
    return _quantiles(np.stack([one.ravel().take(within) for one in kinds]), SPOT_QUANTILES).ravel()


def _around(scaled: NDArray[np.float32], solid: NDArray[np.bool_]) -> Features:
    """The air, how much is shown, and how alike neighbouring slices and both sides are."""
    air = scaled[~solid]
    between = _likeness(scaled[1:], scaled[:-1]) if len(scaled) > 1 else NOWHERE
    return np.array(
        [
            1 - air.size / solid.size,
            float(air.mean()) if air.size else NOWHERE,
            float(air.std()) if air.size else NOWHERE,
            1 - np.count_nonzero(air) / air.size if air.size else NOWHERE,
            np.count_nonzero(scaled >= 1) / scaled.size,
            between,
            _likeness(scaled, scaled[:, ::-1]),
        ]
    )


def _likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    a, b = one.ravel() - one.mean(), other.ravel() - other.mean()
    return float((a * b).sum() / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-9))
