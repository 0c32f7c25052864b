"""Intensities of one modality to [0, 1], by landmarks within the brain."""

from __future__ import annotations

from typing import Literal

import numpy as np

from sanum.core.errors import PreparationError
from sanum.core.units import Mask, Volume

PERCENTILES = (0.5, 99.5)
"""Ends of the robust scale: half a percent on each side is left to vessels, noise and residues of extraction."""

Landmarks = tuple[float, float, float]


def landmarks(values: Volume, mask: Mask, rule: Literal["percentile", "minmax"]) -> Landmarks:
    """Low end, median and high end of the values within the mask.

    Raises:
        PreparationError: the mask is empty, or low and high end coincide.
    """
    inside = values[mask]
    if inside.size == 0:
        raise PreparationError("no voxel of the brain lies within the model grid; check the brain mask")
    shares = PERCENTILES if rule == "percentile" else (0.0, 100.0)
    low, median, high = (float(x) for x in np.percentile(inside, (shares[0], 50.0, shares[1])))
    if not high > low:
        raise PreparationError(
            f"no contrast: the {shares[0]:g} and {shares[1]:g} percentiles within the brain are both {low:g}; "
            "is this a mask or an empty scan?"
        )
    return low, median, high


def scale(values: Volume, marks: Landmarks, median: float | None = None) -> Volume:
    """Map `values` so that low end → 0 and high end → 1, clipped to [0, 1].

    Without `median` the map is one line, (v − low) / (high − low). With it, the scan's median goes to `median`
    and the map is two lines (Nyúl & Udupa 1999, three landmarks):
    v ≤ m: median·(v − low)/(m − low); v > m: median + (1 − median)·(v − m)/(high − m). A scan whose median
    coincides with an end keeps one line.
    """
    low, middle, high = marks
    if median is None or not low < middle < high:
        scaled = (values - low) / (high - low)
    else:
        scaled = np.interp(values, (low, middle, high), (0.0, median, 1.0))
    clipped: Volume = np.clip(scaled, 0.0, 1.0).astype(np.float32)
    return clipped
