"""What the air above and beside the head tells: noise, ghosts and spikes show there first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.core.grid import Grid
from sanum.core.units import Mask, Volume
from sanum.prepare.measures.lattice import every, steps_of

CLEAR_OF_BRAIN_MM = 25.0
"""Beyond this distance from the brain, above its middle, lies no scalp any more."""

LATTICE_MM = 3.0
MIN_POINTS = 500
"""A field so tight around the head that fewer points of air are left tells nothing."""

MIN_MEASURED = 0.05
"""Least share of the air's points that differ from the most common value: with fewer the air was wiped out."""

RAYLEIGH = float(np.sqrt(2.0 - np.pi / 2.0))
"""Standard deviation of noise in a magnitude picture's air over that of the noise itself (Dietrich et al. 2007)."""


@dataclass(frozen=True)
class Air:
    """Measures that need air; `std` is its standard deviation."""

    std: float
    snr_air: float
    fber: float
    efc: float


def air(voxels: Volume, brain: Mask, grid: Grid) -> Air | None:
    """Measures against the air, on a lattice of about 3 mm.

    Air is every point more than 25 mm from the brain and above its middle, which stands in for MRIQC's hat mask: it
    does not depend on intensities, so that ghosts do not turn air into head.

    Returns:
        None where the scan shows no air: brain-extracted, wiped out, cut off, or a single slice.
    """
    from scipy import ndimage

    if 1 in voxels.shape:
        return None
    steps = steps_of(grid, LATTICE_MM)
    shown, inside = voxels[every(steps)], brain[every(steps)]
    if not inside.any():
        return None
    distance = ndimage.distance_transform_edt(~inside, sampling=np.array(steps) * grid.spacing)
    height = _heights(inside.shape, steps, grid)
    values = shown[(distance > CLEAR_OF_BRAIN_MM) & (height > height[inside].mean())].astype(np.float64)
    if values.size < MIN_POINTS or not _was_measured(values):
        return None
    std, energy = float(values.std()), float(np.mean(values**2))
    signal = voxels[brain]
    return Air(
        std=std,
        snr_air=RAYLEIGH * float(np.median(signal)) / std,
        fber=float(np.mean(signal.astype(np.float64) ** 2)) / energy,
        efc=entropy_focus(shown, voxels.size),
    )


def entropy_focus(sampled: Volume, count: int) -> float:
    """Entropy focus criterion (Atkinson et al., IEEE TMI 1997) over its maximum, as in MRIQC.

    With x̂ = x / √(mean x²) it is the mean of x̂ − 2·mean(x̂·ln x̂) / ln n, so that a sample gives what all n voxels
    would.

    Args:
        sampled: values of a share of the voxels; negative ones count as 0.
        count: n, the number of all voxels.
    """
    values = np.maximum(sampled.astype(np.float64).ravel(), 0.0)
    scaled = values / np.sqrt(np.mean(values**2))
    lit = scaled[scaled > 0]
    return float(scaled.mean() - 2.0 * (lit * np.log(lit)).sum() / scaled.size / np.log(count))


def _was_measured(values: NDArray[np.float64]) -> bool:
    _, counts = np.unique(values, return_counts=True)
    return float(counts.max()) / values.size <= 1.0 - MIN_MEASURED


def _heights(shape: tuple[int, ...], steps: tuple[int, int, int], grid: Grid) -> Volume:
    """World z of each point of the lattice."""
    along = [grid.affine[2, axis] * steps[axis] * np.arange(shape[axis]) for axis in range(3)]
    height: Volume = sum(np.meshgrid(*along, indexing="ij", sparse=True)) + grid.affine[2, 3]
    return height
