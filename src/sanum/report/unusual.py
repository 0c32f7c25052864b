"""Which prepared cases lie apart from the rest of their cohort."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 64
UNUSUAL = 3.5
"""Robust z-score from which a value is marked: the cut of Iglewicz and Hoaglin (1993)."""
HISTOGRAM_SLICES = 5


def robust_deviations(values: NDArray[np.float64], least: float = 0.0) -> NDArray[np.float64]:
    """Signed distance from the median in robust standard deviations; 0 with fewer than three values.

    The spread is 1.4826 · median absolute deviation, or 1.2533 · the mean one where more than half of the
    values are equal (Iglewicz and Hoaglin 1993).

    Args:
        values: (n,), finite.
        least: a smaller spread is taken for this one.
    """
    if len(values) < 3:
        return np.zeros(len(values))
    gaps = values - np.median(values)
    sizes = np.abs(gaps)
    spread = 1.4826 * float(np.median(sizes))
    if spread == 0:
        spread = 1.2533 * float(sizes.mean())
    spread = max(spread, least)
    return gaps / spread if spread > 0 else np.zeros(len(values))


def histogram(slices: NDArray[Any]) -> NDArray[np.float64]:
    """Shares (C, BINS) of the nonzero values in [0, 1] of slices (n, C, I, J), over up to five slices."""
    places = np.unique(np.linspace(0, len(slices) - 1, HISTOGRAM_SLICES).round().astype(int))
    shares = []
    for channel in np.moveaxis(np.asarray(slices[places]), 1, 0):
        counts, _ = np.histogram(channel[channel != 0], bins=BINS, range=(0.0, 1.0))
        shares.append(counts / max(1, counts.sum()))
    return np.array(shares, dtype=np.float64)


def distances_from_typical(histograms: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Earth mover's distance of each histogram (C, BINS) from the median one; the largest over channels.

    In units of the value range [0, 1].
    """
    if not histograms:
        return {}
    cumulated = np.cumsum(list(histograms.values()), axis=-1)
    gaps = np.abs(cumulated - np.median(cumulated, axis=0)).sum(axis=-1) / BINS
    return dict(zip(histograms, gaps.max(axis=-1).tolist(), strict=True))
