"""Intensities of one channel to [0, 1]: by landmarks within the brain, or by a fixed window of Hounsfield units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import PreparationError
from sanum.core.modalities import Window
from sanum.core.records import Scan
from sanum.core.units import Mask, Volume

Landmarks = tuple[float, float, float]

GREY_LEVELS = (0.0, 255.0)
"""Ends of an 8-bit picture. Air is -1000 HU, so that a CT whose values fill just this range has been rescaled."""


WHOLE_RANGE = (0.0, 100.0)
"""Lowest to highest value, as percentiles."""


def landmarks(values: Volume, mask: Mask, ends: tuple[float, float]) -> Landmarks:
    """Low end, median and high end of the values within the mask.

    Args:
        values: (I, J, K).
        mask: (I, J, K), the voxels that count.
        ends: percentiles of the low and of the high end.

    Raises:
        PreparationError: the mask is empty, or low and high end coincide.
    """
    inside = values[mask]
    if inside.size == 0:
        raise PreparationError("no voxel of the brain lies within the model grid; check the brain mask")
    low, median, high = _ends(inside, ends)
    if not high > low:
        raise PreparationError(
            f"no contrast: the {ends[0]:g} and {ends[1]:g} percentiles within the brain are both {low:g}; "
            "is this a mask or an empty scan?"
        )
    return low, median, high


def _ends(inside: NDArray[np.float32], ends: tuple[float, float]) -> Landmarks:
    """Percentiles, by a short way where the ends are the lowest and the highest value."""
    if ends == WHOLE_RANGE:
        return float(inside.min()), float(np.median(inside)), float(inside.max())
    low, median, high = (float(x) for x in np.percentile(inside, (ends[0], 50.0, ends[1])))
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


def windowed(hounsfield: Volume, window: Window) -> Volume:
    """Hounsfield units to [0, 1] by one line over a window, clipped."""
    low, high = window.ends
    clipped: Volume = np.clip((hounsfield - low) / (high - low), 0.0, 1.0).astype(np.float32)
    return clipped


def holds_grey_levels(scan: Scan) -> bool:
    """Whether a CT scan's values can't be Hounsfield units: a picture, or values from 0 to exactly 255."""
    return scan.is_image or (float(scan.voxels.min()), float(scan.voxels.max())) == GREY_LEVELS


def unscale(values: Volume, marks: Landmarks, median: float | None = None) -> Volume:
    """The inverse of `scale` between its ends: [0, 1] back to the scan's own units."""
    low, middle, high = marks
    if median is None or not low < middle < high:
        return (low + values * (high - low)).astype(np.float32)
    return np.interp(values, (0.0, median, 1.0), (low, middle, high)).astype(np.float32)
