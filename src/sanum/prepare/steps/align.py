"""Affine registration of a brain to the ICBM152 template, and the checks that it must pass."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import PreparationError
from sanum.core.grid import Grid
from sanum.core.units import Affine, Mask, Volume

DETERMINANT = (0.5, 2.0)
"""Plausible volume change from a brain to the template's: outside, the optimiser has run away."""

MIN_DICE = 0.90
"""Least overlap of the mapped brain mask with the template's. Brains laid on it rightly reach .91 to .97, with
large tumours too; brains that the optimiser left upside down or back to front stay at .88 and below."""

UPRIGHT = (0, 0.0)
"""The first start, as (world axis, degrees): no turn. It finds a head within about 30° of upright."""

TURNS = ((0, 40.0), (0, -40.0), (2, 180.0), (1, 180.0), (0, 180.0))
"""Starts that are tried when the first one ends badly; then the highest mutual information wins."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """An affine that passed its checks.

    Attributes:
        to_template: (4, 4), scan world mm to template world mm.
        metric: Mattes mutual information at the end, in nats; higher is better.
        dice: overlap of the mapped brain mask with the template's.
        determinant: volume in the template over volume in the scan.
        turn: world axis and degrees of the start that led here; other than 0° hints at a wrong header.
    """

    to_template: Affine
    metric: float
    dice: float
    determinant: float
    turn: tuple[int, float]


@dataclass(frozen=True, eq=False)
class Brain:
    """A brain for registration: intensities in [0, 1], 0 outside, on an RAS+ grid along the world axes."""

    voxels: Volume
    mask: Mask
    grid: Grid


def align(moving: Brain, fixed: Brain) -> Alignment:
    """Register `moving` to `fixed`: start from the masks' moments, then Mattes mutual information on two levels.

    Mattes et al., IEEE TMI 22, 2003. The metric takes every voxel of the two coarse levels (8 and 4 mm from a
    template at 2 mm): a random share of so few leaves the optimiser lost in noise and is no faster. It is one
    work unit, because sums in another order give other bits.

    Raises:
        PreparationError: the result is no plausible map of a brain onto the template.
    """
    found = _register(moving, fixed, UPRIGHT)
    if found is None or not _plausible(found):
        again = [_register(moving, fixed, turn) for turn in TURNS]
        tried = [one for one in (found, *again) if one is not None]
        found = max(tried, key=lambda one: one.metric, default=None)
    if found is None or not _plausible(found):
        facts = "" if found is None else f" (overlap {found.dice:.2f}, volume ratio {found.determinant:.2f})"
        raise PreparationError(
            f"registration to the template failed{facts}, needed overlap {MIN_DICE} or more and ratio "
            f"{DETERMINANT[0]} to {DETERMINANT[1]}; is this a whole brain and nothing else, and does the brain mask "
            "fit it?"
        )
    return found


def _plausible(found: Alignment) -> bool:
    return DETERMINANT[0] <= found.determinant <= DETERMINANT[1] and found.dice >= MIN_DICE


def _register(moving: Brain, fixed: Brain, turn: tuple[int, float]) -> Alignment | None:
    """One run from one start; None where the optimiser gives up."""
    sitk = _sitk()
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfWorkUnits(1)
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=32)
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetMetricFixedMask(_near(fixed))
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=1e-3, numberOfIterations=500, relaxationFactor=0.8
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2])
    method.SetSmoothingSigmasPerLevel([4.0, 2.0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    start = _itk_affine(_moments_start(moving, fixed, turn), fixed)
    method.SetInitialTransform(start, inPlace=False)
    try:
        found = method.Execute(_itk_image(fixed.voxels, fixed.grid), _itk_image(moving.voxels, moving.grid))
    except RuntimeError:
        return None
    to_scan = _matrix(found)
    return Alignment(
        to_template=np.linalg.inv(to_scan).astype(np.float64),
        metric=-float(method.GetMetricValue()),
        dice=_mapped_dice(moving, fixed, to_scan),
        determinant=float(1.0 / np.linalg.det(to_scan[:3, :3])),
        turn=turn,
    )


def _moments_start(moving: Brain, fixed: Brain, turn: tuple[int, float]) -> Affine:
    """Fixed world to moving world: centre on centre, turned, spread on spread along each template axis."""
    turned = _rotation(*turn)
    fixed_points, moving_points = _points(fixed), _points(moving)
    spread = ((moving_points - moving_points.mean(axis=0)) @ turned).std(axis=0) / fixed_points.std(axis=0)
    start = np.eye(4)
    start[:3, :3] = turned @ np.diag(spread)
    start[:3, 3] = moving_points.mean(axis=0) - start[:3, :3] @ fixed_points.mean(axis=0)
    return start


def _points(brain: Brain) -> NDArray[np.float64]:
    """World positions of the brain's voxels, (n, 3)."""
    return brain.grid.to_world(np.argwhere(brain.mask))


def _rotation(axis: int, degrees: float) -> NDArray[np.float64]:
    """(3, 3) rotation about a world axis."""
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    rotation = np.eye(3)
    rotation[[first, second], [first, second]] = cosine
    rotation[first, second], rotation[second, first] = -sine, sine
    return rotation


def _mapped_dice(moving: Brain, fixed: Brain, to_scan: Affine) -> float:
    """Dice of the fixed mask and of the moving mask looked up at each fixed voxel."""
    index = np.stack(np.meshgrid(*[np.arange(size) for size in fixed.grid.shape], indexing="ij"), axis=-1)
    to_voxel = np.linalg.inv(moving.grid.affine) @ to_scan @ fixed.grid.affine
    nearest = np.rint(index @ to_voxel[:3, :3].T + to_voxel[:3, 3]).astype(int)
    inside = ((nearest >= 0) & (nearest < moving.grid.shape)).all(axis=-1)
    mapped = np.zeros(fixed.grid.shape, np.bool_)
    mapped[inside] = moving.mask[tuple(nearest[inside].T)]
    return float(2.0 * (mapped & fixed.mask).sum() / (mapped.sum() + fixed.mask.sum()))


def _near(brain: Brain) -> Any:
    """The brain and a rim of 3 voxels: the outline against the dark outside guides the affine."""
    from scipy import ndimage

    rim = ndimage.binary_dilation(brain.mask, iterations=3)
    return _itk_image(rim.astype(np.uint8), brain.grid)


def _sitk() -> Any:
    """SimpleITK, imported at first use; it has no types."""
    return importlib.import_module("SimpleITK")


def _itk_image(voxels: Any, grid: Grid) -> Any:
    """ITK calls its world LPS; both images carry RAS+ numbers instead, which leaves the affine in RAS+."""
    image = _sitk().GetImageFromArray(np.ascontiguousarray(voxels.transpose(2, 1, 0)))
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.affine[:3, 3].tolist())
    return image


def _itk_affine(matrix: Affine, fixed: Brain) -> Any:
    """The matrix as an ITK affine that turns about the brain's middle, where rotation and shift are separate."""
    centre = _points(fixed).mean(axis=0)
    transform = _sitk().AffineTransform(3)
    transform.SetCenter(centre.tolist())
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation((matrix[:3, :3] @ centre + matrix[:3, 3] - centre).tolist())
    return transform


def _matrix(transform: Any) -> Affine:
    """(4, 4) of an ITK affine, read off from where it sends four points."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    matrix = np.eye(4)
    matrix[:3, 3] = origin
    for axis in range(3):
        matrix[:3, axis] = np.array(transform.TransformPoint(np.eye(3)[axis].tolist())) - origin
    return matrix
