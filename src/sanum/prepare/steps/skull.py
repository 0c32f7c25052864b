"""What lies inside the skull on CT: the brain that a network found, mended by the bone around it.

A network that learnt from MRI cuts off blood that lies on the brain, and runs into bone and air cells. On CT the skull
itself shows where the inside ends.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.core.units import Mask, Volume
from sanum.prepare.steps.brain_mask import filled, largest_piece

SOFT_HU = (-30.0, 130.0)
"""Hounsfield units of all that is neither air, fat nor bone: fluid, brain, blood, vessels."""

BONE_HU = 180.0
"""From here on a voxel counts as skull, mixed ones included."""

COARSE_MM = 1.5
"""About the voxel size at which the work is done."""

CORE_MM = 4.0
"""Depth within the found brain that no bridge to orbit or nose has."""

BACK_MM = 6.0
"""How far the core grows back into the found brain."""

BEYOND_MM = 12.0
"""How far beyond the found brain the room is searched: the thickness of a large subdural haematoma."""

NARROW_MM = 3.0
"""Half the width of what is too narrow to be room for the brain: marrow, sutures, channels of nerves."""


def inside_skull(hounsfield: Volume, brain: Mask, spacing: tuple[float, float, float]) -> Mask:
    """The room around a found brain, up to the skull.

    Args:
        hounsfield: (I, J, K), axes right, anterior, superior.
        brain: (I, J, K), about the brain.
        spacing: mm.

    Returns:
        (I, J, K), in one piece, without holes; empty where the found brain holds nothing as deep as `CORE_MM`.
    """
    steps = [max(1, round(COARSE_MM / mm)) for mm in spacing]
    cut = tuple(slice(step // 2, None, step) for step in steps)
    mm = np.array(spacing) * steps
    room = _room(hounsfield[cut], brain[cut], mm)
    index = [
        np.minimum(np.arange(side) // step, coarse - 1)
        for side, step, coarse in zip(brain.shape, steps, room.shape, strict=True)
    ]
    return np.ascontiguousarray(room[np.ix_(*index)])


def _room(hu: Volume, brain: Mask, mm: NDArray[np.float64]) -> Mask:
    soft = (hu > SOFT_HU[0]) & (hu < SOFT_HU[1])
    found = brain & soft
    core = _depth(found, mm) > CORE_MM
    if not core.any():
        return np.zeros_like(brain)
    body = _grown(largest_piece(core)[0], found, BACK_MM, mm)
    grown = _grown(body, soft & _within_rings(hu > BONE_HU) | body, BEYOND_MM, mm)
    wide = _depth(grown, mm) > NARROW_MM
    opened = grown & (_depth(~wide, mm) <= NARROW_MM)
    whole, _ = largest_piece(body | opened)
    return np.stack([ndimage.binary_fill_holes(plane) for plane in np.moveaxis(filled(whole), 2, 0)], axis=2)


def _depth(mask: Mask, mm: NDArray[np.float64]) -> Volume:
    return np.asarray(ndimage.distance_transform_edt(mask, sampling=mm), np.float32)


def _grown(seed: Mask, room: Mask, reach_mm: float, mm: NDArray[np.float64]) -> Mask:
    """All of the room that a path of at most about `reach_mm` joins to the seed."""
    steps = max(1, round(reach_mm / float(mm[:2].mean())))
    return np.asarray(ndimage.binary_dilation(seed, iterations=steps, mask=room), np.bool_)


def _within_rings(bone: Mask) -> Mask:
    """What a ring of bone encloses in its slice; gaps of up to six voxels count as closed."""
    room = np.zeros_like(bone)
    for k in range(bone.shape[2]):
        closed = ndimage.binary_closing(np.pad(bone[..., k], 8), iterations=3)
        room[..., k] = ndimage.binary_fill_holes(closed)[8:-8, 8:-8]
    return room
