"""Smoothing that knows where the brain ends."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from sanum.core.grid import Grid
from sanum.core.units import Mask, Volume


def smooth_within(values: Volume, mask: Mask, grid: Grid, sigma_mm: float) -> Volume:
    """Gaussian mean of the values inside the mask: what lies outside weighs nothing.

    Args:
        values: (I, J, K) float32.
        mask: (I, J, K).
        grid: gives the voxel spacing.
        sigma_mm: standard deviation of the Gaussian in mm (pixels in an image); 0 leaves the values.

    Returns:
        (I, J, K) float32, zero outside the mask.
    """
    inside = np.where(mask, values, np.float32(0.0))
    if sigma_mm == 0.0:
        return inside
    sigma = [sigma_mm / spacing for spacing in grid.spacing]
    weight = gaussian_filter(mask.astype(np.float32), sigma, mode="constant", truncate=3.0)
    total = gaussian_filter(inside, sigma, mode="constant", truncate=3.0)
    return np.divide(total, weight, out=np.zeros_like(total), where=mask)
