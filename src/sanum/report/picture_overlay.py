"""The anomaly map over a 2D picture, pixel on pixel, in a millisecond: for answers that a program waits for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sanum.core.records import AnomalyMap, Scan
from sanum.report.display import IMAGE_LAYOUT, intensity_window
from sanum.report.heat import over_grey
from sanum.report.png import encode_png


def picture_overlay(scan: Scan, heat: AnomalyMap, map_scale: tuple[float, float]) -> bytes:
    """The picture in grey with the map in colour over it, as PNG of the picture's own size.

    Args:
        scan: a 2D picture, (I, J, 1).
        heat: map values on the scan's grid, NaN outside the mask.
        map_scale: map values where colour starts (transparent below) and is fullest.

    Raises:
        CalibrationError: the scale is not two finite numbers.
    """
    grey = _shades(IMAGE_LAYOUT.picture(scan.voxels[..., 0]), intensity_window(scan, heat))
    return encode_png(over_grey(grey, IMAGE_LAYOUT.picture(heat.values[..., 0]), map_scale))


def _shades(values: NDArray[np.float32], window: tuple[float, float]) -> NDArray[np.float32]:
    low, high = window
    shades: NDArray[np.float32] = np.clip((values - low) / (high - low), 0.0, 1.0)
    return shades
