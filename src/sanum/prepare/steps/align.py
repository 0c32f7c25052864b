"""Affine registration of a brain to the ICBM152 template, and the checks that it must pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import PreparationError
from sanum.core.grid import Grid
from sanum.core.units import Affine, Mask, Volume
from sanum.prepare.steps import itk, turns

DETERMINANT = (0.5, 2.0)
"""Plausible volume change from a brain to the template's: outside, the optimiser has run away."""

MIN_DICE = 0.90
"""Least overlap of the mapped brain mask with the template's. Brains laid on it rightly reach .91 to .97, with
large tumours too; brains that the optimiser left upside down or back to front stay at .88 and below."""

MIN_DICE_ROOM = 0.85
"""The same for the room within the skull of a CT, which is no brain: .90 to .93 on made heads, .91 on a scanned one. It
counts where no turned start fits better."""

STARTS = 3
"""Turned starts that are tried when the upright one ends badly, the likeliest first, until one ends well."""

THINNED = 61
"""Every so many-th voxel of a brain mask at 2 mm gives its moments to a tenth of a millimetre."""

COMPARED = 4
"""Every so many-th voxel of the template along each axis is looked at in the search for turned starts."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """An affine that passed its checks.

    Attributes:
        to_template: (4, 4), scan world mm to template world mm.
        metric: Mattes mutual information at the end, in nats; higher is better.
        dice: overlap of the mapped brain mask with the template's.
        determinant: volume in the template over volume in the scan.
        start_degrees: how far the start that led here was turned; other than 0 hints at a wrong header.
    """

    to_template: Affine
    metric: float
    dice: float
    determinant: float
    start_degrees: float

    @property
    def turned_degrees(self) -> float:
        """How far the head lies turned from the template, by its header: 0 to 180."""
        return turns.degrees_between(np.eye(3), turns.nearest_rotation(self.to_template[:3, :3]))


@dataclass(frozen=True, eq=False)
class Brain:
    """A brain for registration: intensities in [0, 1], 0 outside, on an RAS+ grid along the world axes."""

    voxels: Volume
    mask: Mask
    grid: Grid


def align(moving: Brain, fixed: Brain, least_dice: float = MIN_DICE) -> Alignment:
    """Register `moving` to `fixed`: start from the masks' moments, then Mattes mutual information on two levels.

    Args:
        moving: what is laid on the other.
        fixed: the template's brain.
        least_dice: overlap that an upright start needs where no start reaches `MIN_DICE`.

    Raises:
        PreparationError: the result is no plausible map of a brain onto the template.
    """
    failed = []
    for turn in _starts(moving, fixed):
        found = _register(moving, fixed, turn)
        if found is not None and _plausible(found, MIN_DICE):
            return found
        failed += [found] if found is not None else []
    best = max(failed, key=lambda one: one.metric, default=None)
    if best is not None and best.start_degrees == 0.0 and _plausible(best, least_dice):
        return best
    facts = "" if best is None else f" (overlap {best.dice:.2f}, volume ratio {best.determinant:.2f})"
    raise PreparationError(
        f"registration to the template failed{facts}, needed overlap {least_dice} or more and ratio "
        f"{DETERMINANT[0]} to {DETERMINANT[1]}; is this a whole brain and nothing else, and does the brain mask "
        "fit it?"
    )


def _plausible(found: Alignment, least_dice: float) -> bool:
    return DETERMINANT[0] <= found.determinant <= DETERMINANT[1] and found.dice >= least_dice


def _register(moving: Brain, fixed: Brain, turn: turns.Rotation) -> Alignment | None:
    """One run from one start; None where the optimiser gives up."""
    method = itk.mutual_information(itk.image(itk.rimmed(fixed.mask).astype(np.uint8), fixed.grid))
    start = _itk_affine(turns.moments_map(_points(moving), _points(fixed), turn), fixed)
    method.SetInitialTransform(start, inPlace=False)
    try:
        found = method.Execute(itk.image(fixed.voxels, fixed.grid), itk.image(moving.voxels, moving.grid))
    except RuntimeError:
        return None
    to_scan = itk.matrix(found)
    return Alignment(
        to_template=np.linalg.inv(to_scan).astype(np.float64),
        metric=-float(method.GetMetricValue()),
        dice=_mapped_dice(moving, fixed, to_scan),
        determinant=float(1.0 / np.linalg.det(to_scan[:3, :3])),
        start_degrees=round(turns.degrees_between(np.eye(3), turn), 1),
    )


def _starts(moving: Brain, fixed: Brain) -> Iterator[turns.Rotation]:
    """Upright; then, searched for only when that one failed, the likeliest turns in their order."""
    yield np.eye(3)
    yield from _likely_turns(moving, fixed)


def _likely_turns(moving: Brain, fixed: Brain) -> list[turns.Rotation]:
    compared = np.zeros(fixed.mask.shape, np.bool_)
    compared[::COMPARED, ::COMPARED, ::COMPARED] = itk.rimmed(fixed.mask)[::COMPARED, ::COMPARED, ::COMPARED]
    places = fixed.grid.to_world(np.argwhere(compared))
    return turns.likely_turns(_cloud(moving), _cloud(fixed), places, STARTS)


def _cloud(brain: Brain) -> turns.Cloud:
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(brain.voxels, 2.0, truncate=2.0)
    return turns.Cloud(smooth, _points(brain)[::THINNED], np.linalg.inv(brain.grid.affine).astype(np.float64))


def _points(brain: Brain) -> NDArray[np.float64]:
    """World positions of the brain's voxels, (n, 3)."""
    return brain.grid.to_world(np.argwhere(brain.mask))


def _mapped_dice(moving: Brain, fixed: Brain, to_scan: Affine) -> float:
    """Dice of the fixed mask and of the moving mask looked up at each fixed voxel."""
    index = np.stack(np.meshgrid(*[np.arange(size) for size in fixed.grid.shape], indexing="ij"), axis=-1)
    to_voxel = np.linalg.inv(moving.grid.affine) @ to_scan @ fixed.grid.affine
    nearest = np.rint(index @ to_voxel[:3, :3].T + to_voxel[:3, 3]).astype(int)
    inside = ((nearest >= 0) & (nearest < moving.grid.shape)).all(axis=-1)
    mapped = np.zeros(fixed.grid.shape, np.bool_)
    mapped[inside] = moving.mask[tuple(nearest[inside].T)]
    return float(2.0 * (mapped & fixed.mask).sum() / (mapped.sum() + fixed.mask.sum()))


def _itk_affine(matrix: Affine, fixed: Brain) -> Any:
    """The matrix as an ITK affine that turns about the brain's middle, where rotation and shift are separate."""
    centre = _points(fixed).mean(axis=0)
    transform = itk.sitk().AffineTransform(3)
    transform.SetCenter(centre.tolist())
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation((matrix[:3, :3] @ centre + matrix[:3, 3] - centre).tolist())
    return transform
