"""The slow shading of an MRI scan by its coil, found by N4."""

from __future__ import annotations

from typing import Any

import numpy as np

from sanum.core.grid import Grid
from sanum.core.units import Mask, Volume
from sanum.prepare.steps import itk

COARSE_MM = 4.5
"""Voxel size at which the field is estimated: it varies over centimetres."""

ITERATIONS = [30, 30, 20]
"""At most so many on each of three levels of the spline; the last has a control point every 3 cm or so."""


def apply(values: Volume, mask: Mask, grid: Grid, on: bool) -> tuple[Volume, dict[str, Any]]:
    """A scan without its shading, and how strong that was."""
    del on
    field = bias_field(values, mask, grid)
    low, high = np.percentile(field[mask], (2, 98))
    return values / field, {"by": "N4", "strength": round(float(high / low), 3)}


def bias_field(values: Volume, mask: Mask, grid: Grid) -> Volume:
    """Estimate the multiplicative shading of a scan.

    N4: Tustison et al., IEEE TMI 29, 2010, as in ITK, on voxels of about `COARSE_MM`.

    Args:
        values: (I, J, K), scanner units.
        mask: (I, J, K), the brain; the field outside it means nothing.
        grid: whose axes are the world's.

    Returns:
        (I, J, K), above 0, with a geometric mean of 1 over the mask: divide the values by it.
    """
    sitk = itk.sitk()
    counted = mask & (values > 0)
    shrink = [max(1, round(COARSE_MM / spacing)) for spacing in grid.spacing]
    full = itk.image(values, grid)
    method = sitk.N4BiasFieldCorrectionImageFilter()
    method.SetNumberOfWorkUnits(1)
    method.SetMaximumNumberOfIterations(ITERATIONS)
    method.Execute(sitk.Shrink(full, shrink), sitk.Shrink(itk.image(counted.astype(np.uint8), grid), shrink))
    spline = sitk.GetArrayFromImage(method.GetLogBiasFieldAsImage(full)).transpose(2, 1, 0)
    field: Volume = np.exp(spline - spline[mask].mean()).astype(np.float32)
    return field
