"""The anomaly map over a 2D picture, pixel on pixel, in a millisecond: for answers that a program waits for."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from sanum.core.records import AnomalyMap, Scan
from sanum.report.display import IMAGE_LAYOUT, intensity_window
from sanum.report.figures import heat_colours, heat_scale
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
    values = IMAGE_LAYOUT.picture(heat.values[..., 0])
    low, high = heat_scale(map_scale)
    share = np.clip((np.nan_to_num(values, nan=low - 1.0) - low) / (high - low), 0.0, 1.0)
    colours = _colours()[(share * 255.0).astype(np.uint8)]
    cover = np.where(values >= low, colours[..., 3], 0.0)[..., None]
    mixed = (1.0 - cover) * grey[..., None] + cover * colours[..., :3]
    return encode_png((mixed * 255.0 + 0.5).astype(np.uint8))


@cache
def _colours() -> NDArray[np.float32]:
    """Red, green, blue and cover (256, 4) along the colour scale of all reports."""
    colours: NDArray[np.float32] = heat_colours()(np.arange(256)).astype(np.float32)
    return colours


def _shades(values: NDArray[np.float32], window: tuple[float, float]) -> NDArray[np.float32]:
    low, high = window
    shades: NDArray[np.float32] = np.clip((values - low) / (high - low), 0.0, 1.0)
    return shades
