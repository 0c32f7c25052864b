"""From a score to how surprising it is beside the most unusual places of healthy slices, and from several to one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.units import Mask

DECADES = np.linspace(0.0, 4.0, 33)
"""Surprises (−log10 of the healthy tail) at which a table keeps the healthy value."""

TOP = 0.005
"""Share of a slice whose mean is its most unusual place."""

SLOW = 1.0
"""Decades over which the surprise beyond the table first halves its pace: a healthy tail says little about far values."""

TAIL = 2.0
"""Beyond the table the surprise grows along the line from this decade to the last."""

LEAST_SLOPE = 1e-6
"""Width of a decade below which a healthy tail counts as no tail."""

LOWEST = 1e-6
"""Share of healthy slices below the value that is no surprise at all."""


def tops_of_slices(values: NDArray[np.floating], mask: Mask) -> NDArray[np.float64]:
    """Mean of the highest `TOP` of the mask (I, J, K) in each slice that shows any."""
    tops = []
    for k in np.flatnonzero(mask.any(axis=(0, 1))):
        inside = values[..., k][mask[..., k]].astype(np.float64)
        count = max(1, round(TOP * inside.size))
        tops.append(float(np.partition(inside, -count)[-count:].mean()))
    return np.array(tops)


def slice_table(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Healthy values (33,) at `DECADES`: 10^-d of healthy slices lie above the value at d.

    Quantiles of Student's t, as the next of n normal values is distributed: slices are too few for a tail of their
    own. One value alone gives no spread.

    Args:
        values: (n,), one a slice.
    """
    from scipy.stats import t

    count = values.size
    spread = float(values.std(ddof=1)) * np.sqrt(1.0 + 1.0 / count) if count > 1 else 1.0
    lower = np.minimum(1.0 - 10.0**-DECADES, 1.0 - 1e-9)
    quantiles = t.ppf(np.maximum(lower, LOWEST), max(count - 1, 1))
    return (float(values.mean()) + max(spread, LEAST_SLOPE) * quantiles).astype(np.float32)


def surprise(values: NDArray[np.floating], table: NDArray[np.floating]) -> NDArray[np.float32]:
    """−log10 of the share of healthy slices that reach a value as high, by a table; beyond it growing ever slower."""
    marks = table.astype(np.float64)
    found = np.interp(values, *_rising(marks, DECADES))
    start = int(np.searchsorted(DECADES, TAIL))
    slope = max(float(marks[-1] - marks[start]) / (DECADES[-1] - TAIL), LEAST_SLOPE)
    beyond = np.maximum(values - marks[-1], 0.0) / slope
    extended: NDArray[np.float32] = (found + SLOW * np.log1p(beyond / SLOW)).astype(np.float32)
    return extended


def fused(surprises: Mapping[str, NDArray[Any]], weights: Mapping[str, float]) -> NDArray[np.float32]:
    """−log10 of the weighted harmonic mean of p-values (Wilson 2019); a score of weight 0 is left out.

    The harmonic mean holds for dependent scores, and follows the most surprising one.
    """
    known = {name: weights[name] for name in surprises if weights[name] > 0.0}
    total = sum(known.values())
    inverse = sum(
        weight / total * 10.0 ** surprises[name].astype(np.float64) for name, weight in known.items()
    )
    found: NDArray[np.float32] = np.log10(inverse).astype(np.float32)
    return found


def _rising(
    marks: NDArray[np.float64], decades: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The table without ties: of equal values the last stands, so that a common value is no surprise at all."""
    first = np.r_[True, np.diff(marks) > 0.0]
    return marks[first], decades[first]
