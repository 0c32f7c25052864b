"""Signal, contrast and noise of grey and white matter."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.grid import Grid
from sanum.core.units import Mask, Volume

SMOOTHED_MM = 1.5
"""Half width of the box that noise is averaged over before voxels are told apart; coarser voxels stay as they are."""

MIN_VOXELS = 500
"""A class with fewer voxels has no spread worth telling."""

QUANTILES = 4000
"""Points by which the distribution of the brain's intensities is described to Otsu's method."""

DARK_TO_BRIGHT = {
    "T1w": ("csf", "grey", "white"),
    "T1ce": ("csf", "grey", "white"),
    "T2w": ("white", "grey", "csf"),
}
"""Order of the tissues by contrast. Others (FLAIR, PDw) show grey and white matter too much alike for three classes."""


@dataclass(frozen=True)
class Tissues:
    """Signal to noise of grey and of white matter, contrast to noise between them, their joint variation."""

    snr_grey: float
    snr_white: float
    cnr: float
    cjv: float


def tissues(voxels: Volume, brain: Mask, grid: Grid, modality: str, air_std: float = 0.0) -> Tissues | None:
    """Measures between three classes of the brain's voxels, split by Otsu's two thresholds.

    The split is made on a smoothed copy and the measures are taken from the scan itself: noise would otherwise cut
    off its own tails. SNR, CNR and CJV are MRIQC's (Esteban et al. 2017), with these classes in place of FAST's.

    Args:
        voxels: (I, J, K), cropped to about the brain.
        brain: (I, J, K).
        grid: spacing counts.
        modality: BIDS suffix.
        air_std: standard deviation of the noise in air; 0 where there is no air.

    Returns:
        None for a contrast without three classes, or a brain too small or too flat for them.
    """
    order = DARK_TO_BRIGHT.get(modality)
    if order is None or brain.sum() < 3 * MIN_VOXELS:
        return None
    smooth = _smoothed(voxels, brain, grid)
    low, high = _otsu(smooth[brain])
    values = voxels[brain]
    level = (smooth[brain] > low).astype(np.int8) + (smooth[brain] > high)
    grey, white = values[level == order.index("grey")], values[level == order.index("white")]
    if min(grey.size, white.size) < MIN_VOXELS:
        return None
    gap = abs(float(np.median(white)) - float(np.median(grey)))
    spread = float(np.sqrt(air_std**2 + grey.var() + white.var()))
    if gap == 0 or min(grey.std(), white.std()) == 0:
        return None
    return Tissues(_snr(grey), _snr(white), gap / spread, (mad(grey) + mad(white)) / gap)


def mad(values: NDArray[Any]) -> float:
    """Median absolute deviation, scaled to the standard deviation of normal values."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _snr(values: NDArray[Any]) -> float:
    return float(np.median(values)) / float(values.std(ddof=1))


def _smoothed(voxels: Volume, brain: Mask, grid: Grid) -> Volume:
    """Mean over a box of about 3 mm; outside the brain its median stands in, so that the rim is not darkened."""
    from scipy import ndimage

    widths = [2 * int(SMOOTHED_MM // spacing) + 1 for spacing in grid.spacing]
    if max(widths) == 1:
        return voxels
    filled = np.where(brain, voxels, np.float32(np.median(voxels[brain])))
    smooth: Volume = ndimage.uniform_filter(filled, widths)
    return smooth


def _otsu(values: NDArray[Any]) -> tuple[float, float]:
    """Two thresholds that part values into three classes with the least variance within (Otsu 1979)."""
    sitk = importlib.import_module("SimpleITK")
    described = np.quantile(values, np.linspace(0.005, 0.995, QUANTILES)).astype(np.float32)
    method = sitk.OtsuMultipleThresholdsImageFilter()
    method.SetNumberOfThresholds(2)
    method.SetNumberOfHistogramBins(256)
    method.SetNumberOfWorkUnits(1)
    method.Execute(sitk.GetImageFromArray(described[None]))
    low, high = method.GetThresholds()
    return float(low), float(high)
