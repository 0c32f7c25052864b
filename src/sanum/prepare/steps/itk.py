"""What the registrations and the bias field share of SimpleITK.

ITK calls its world LPS; every image here carries RAS+ numbers instead, which leaves the found transforms in RAS+.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.grid import Grid
from sanum.core.units import Affine, Mask


def sitk() -> Any:
    """SimpleITK, imported at first use; it has no types."""
    return importlib.import_module("SimpleITK")


def image(voxels: NDArray[Any], grid: Grid) -> Any:
    """Voxels (I, J, K) on a grid whose axes are the world's."""
    made = sitk().GetImageFromArray(np.ascontiguousarray(voxels.transpose(2, 1, 0)))
    made.SetSpacing(grid.spacing)
    made.SetOrigin(grid.affine[:3, 3].tolist())
    return made


def mutual_information(fixed_mask: Any) -> Any:
    """Registration by Mattes mutual information (IEEE TMI 22, 2003) over two coarse levels.

    For images at 2 mm the levels are 8 and 4 mm. The metric takes every voxel of the mask: a random share of so few
    leaves the optimiser lost in noise and is no faster. It is one work unit, because sums in another order give
    other bits.
    """
    itk = sitk()
    method = itk.ImageRegistrationMethod()
    method.SetNumberOfWorkUnits(1)
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=32)
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetMetricFixedMask(fixed_mask)
    method.SetInterpolator(itk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=1e-3, numberOfIterations=500, relaxationFactor=0.8
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2])
    method.SetSmoothingSigmasPerLevel([4.0, 2.0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    return method


def matrix(transform: Any) -> Affine:
    """(4, 4) of an affine transform, read off from where it sends four points."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    found = np.eye(4)
    found[:3, 3] = origin
    for axis in range(3):
        found[:3, axis] = np.array(transform.TransformPoint(np.eye(3)[axis].tolist())) - origin
    return found


def rimmed(mask: Mask) -> Mask:
    """A brain and a rim of 3 voxels: its outline against the outside guides a registration."""
    from scipy import ndimage

    found: Mask = ndimage.binary_dilation(mask, iterations=3)
    return found
