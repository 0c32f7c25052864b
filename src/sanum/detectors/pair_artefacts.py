"""What tells a noisy, ghosted or moved scan: numbers of a whole scan, beside what its partner leads one to expect."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.core.records import Prepared
from sanum.core.units import Mask
from sanum.detectors.pair_expectation import Pair, expectation

Plane = NDArray[np.float64]

NEAR_MM = 3.0

LAGS = (1, 2, 4)
"""Distances, in coarse pixels, over which a slice's unrest is measured along each side."""

FEWEST = 40
"""Coarse pixels of a slice below which nothing is said about its noise."""

BANDS = ((1 / 6, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 1.0))
"""Parts of the spectrum, from coarse to fine, in which neighbouring lines are compared."""

MIDDLE = (0.2, 0.8)
"""Quantiles to which the partner's values are cut for the edges of soft tissue."""


def scan_features(case: Prepared, pair: Pair, number: int) -> NDArray[np.float64]:
    """(17,) of one modality, means over the slices that show enough; 0 where none does.

    The unrest of what the partner leaves unexplained, at three distances; how unlike neighbouring lines of the spectrum
    are (every few lines weaker give ghosts); and how well the edges lie where the partner's do (a moved head has them
    beside). Each along J, where phase is mostly encoded, and as the difference from that along I.
    """
    inside = ndimage.binary_erosion(pair.mask, np.ones((3, 3, 1), np.bool_))
    slices = np.flatnonzero(inside.sum(axis=(0, 1)) >= FEWEST)
    if not slices.size:
        return np.zeros(1 + 2 * len(LAGS) + 2 * len(BANDS) + 4)
    away = _unexplained(pair, number)
    partner = next((other for other in range(len(pair.views)) if other != number), number)
    fine = ndimage.binary_erosion(case.mask, np.ones((3, 3, 1), np.bool_))
    own, others = (np.asarray(case.voxels[channel], np.float64) for channel in (number, partner))
    middle = np.clip(others, *np.quantile(others[case.mask], MIDDLE))
    rows = [
        [
            *_unrests(away[..., k].astype(np.float64), inside[..., k]),
            *_roughness(own[..., k] * case.mask[..., k]),
            *_edges(own[..., k], (others[..., k], middle[..., k]), fine[..., k]),
        ]
        for k in slices
    ]
    return np.asarray(np.mean(rows, axis=0))


def _unexplained(pair: Pair, number: int) -> NDArray[np.float32]:
    view = pair.views[number][0]
    others = [partner for other, partner in enumerate(pair.views) if other != number]
    return expectation(pair, view, others[0]).residual if others else view - pair.smoothed(view, NEAR_MM)


def _unrests(plane: Plane, shown: Mask) -> list[float]:
    along, across = ([_unrest(plane, shown, lag, axis) for lag in LAGS] for axis in (1, 0))
    spread = float(np.log(plane[shown].std() + 1e-3))
    return [spread, *along, *(a - b for a, b in zip(along, across, strict=True))]


def _unrest(plane: NDArray[np.float64], shown: NDArray[np.bool_], lag: int, axis: int) -> float:
    """Logarithm of the mean squared difference over a distance, of pixels that are both shown."""
    one, other = (np.take(plane, np.arange(*ends), axis) for ends in _ends(plane.shape[axis], lag))
    first, second = (np.take(shown, np.arange(*ends), axis) for ends in _ends(plane.shape[axis], lag))
    both = first & second
    return float(np.log(((one - other)[both] ** 2).mean() + 1e-6)) if both.any() else 0.0


def _ends(side: int, lag: int) -> tuple[tuple[int, int], tuple[int, int]]:
    step = min(lag, side - 1)
    return (0, side - step), (step, side)


def _roughness(plane: Plane) -> list[float]:
    """Logarithms of the spread of each line's power about its two neighbours', in decibel-like units, by band."""
    found = []
    for axis in (1, 0):
        power = (np.abs(np.fft.fft(plane, axis=axis)) ** 2).sum(axis=1 - axis)
        lines = np.log(power + 1e-9)[1 : plane.shape[axis] // 2]
        apart = lines[1:-1] - 0.5 * (lines[:-2] + lines[2:])
        ends = [(round(low * len(apart)), round(high * len(apart))) for low, high in BANDS]
        found.append(
            [float(np.log(apart[low:high].std() + 1e-3)) if high > low else 0.0 for low, high in ends]
        )
    return [*found[0], *(a - b for a, b in zip(*found, strict=True))]


def _edges(plane: Plane, partners: tuple[Plane, ...], shown: Mask) -> list[float]:
    """Correlation of the roots of the edges' strengths with each partner's."""
    found = [
        [_correlation(_slope(plane, axis)[shown], _slope(other, axis)[shown]) for other in partners]
        for axis in (1, 0)
    ]
    return [*found[0], *(a - b for a, b in zip(*found, strict=True))]


def _slope(plane: Plane, axis: int) -> Plane:
    return np.sqrt(np.abs(ndimage.gaussian_filter1d(plane, 1.0, axis=axis, order=1)))


def _correlation(first: Plane, second: Plane) -> float:
    if first.size < 2 or first.std() == 0.0 or second.std() == 0.0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
